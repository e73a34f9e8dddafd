"""Feature stores: HDF5 shards with a manifest. h5py is known here only."""
