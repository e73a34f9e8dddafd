"""Signals in and out: audio, images, video, text."""
