"""Talking faces made ready for training: found, followed, judged, brought to one place and size, and stored."""
