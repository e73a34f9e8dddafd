"""Signals in and out: audio, video, text."""
