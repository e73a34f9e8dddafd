"""Experiments: each in its own room, fulfilling the contract of `chorale.runs`; none knows another."""
