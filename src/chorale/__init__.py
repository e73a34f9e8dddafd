"""chorale: batch experiments for HPC clusters."""
