"""Faces in frames: where they are, their 68 points, and frames in which they stand still."""
