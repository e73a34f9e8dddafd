"""Images for the teacher and for the evaluation, normalised, and in which order they come."""
