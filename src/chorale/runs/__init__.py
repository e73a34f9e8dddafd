"""A run: its directory is the whole truth of it. And the contract by which an experiment declares its stages."""
