"""Corpora and the stores made of them."""
