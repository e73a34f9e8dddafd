"""Carries out the stages that an experiment declares, in this process, in local workers, or as Slurm jobs.

The only room that knows submitit and Slurm. It knows no experiment.
"""
