"""Stages as Slurm jobs: templates, cluster profiles, submissions and what became of them."""
