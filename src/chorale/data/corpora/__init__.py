"""Corpora: packages by name, readers per layout, speaker-disjoint splits, trial lists."""
