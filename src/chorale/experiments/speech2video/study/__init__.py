"""People as judges: a page on which they compare pairs of videos, and what their answers say."""
