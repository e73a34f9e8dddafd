"""Secure aggregation (Bonawitz et al. 2017) and differential privacy of a federation's updates."""
