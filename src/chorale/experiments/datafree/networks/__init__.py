"""Classifiers and generators, how they are found by name, and how what happens inside them is read."""
