"""Auto-Vector (arXiv:2008.05695): evolutionary search for speaker verification networks of the x-vector family."""
