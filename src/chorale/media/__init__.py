"""Signals in and out: audio, images, text."""
