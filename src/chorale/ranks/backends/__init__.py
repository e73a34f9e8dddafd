"""Training backends behind one interface: one process, torch's DDP, DeepSpeed."""
