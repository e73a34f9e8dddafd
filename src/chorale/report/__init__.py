"""The page of a run: what ran, how it ended, what is best; it opens anywhere, figures and tables lie beside it."""
