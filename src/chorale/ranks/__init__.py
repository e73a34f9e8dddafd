"""Who am I among how many: environment, group, device. The only room that knows torch.distributed, MPI and the like."""
