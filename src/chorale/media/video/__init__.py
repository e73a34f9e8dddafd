"""Moving pictures in and out."""
