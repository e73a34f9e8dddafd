"""One loop for all gradient training: step, log, evaluate, checkpoint, agree on a stop, go on exactly."""

from chorale.runs.stopping import StoppedError

__all__ = ["StoppedError"]
