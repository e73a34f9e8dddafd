"""The configuration of a data-free distillation. No heavy imports: the command line loads this."""

from chorale.experiments.datafree.config.experiment import DatafreeConfig

__all__ = ["DatafreeConfig"]
