"""The configuration of a speech synthesiser and of its federation. No heavy imports: the command line loads this."""

from chorale.experiments.fedtts.config.experiment import FedttsConfig

__all__ = ["FedttsConfig"]
