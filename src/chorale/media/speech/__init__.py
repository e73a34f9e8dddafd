"""Voices that are computed, and voices whose way of speaking is changed; both say when each phone is spoken."""
