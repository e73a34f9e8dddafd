"""Talking heads that are computed: a face for every voice, a mouth for every phone. They are called rendered."""
