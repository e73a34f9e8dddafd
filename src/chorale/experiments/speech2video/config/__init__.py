"""What the experiment can be told."""

from chorale.experiments.speech2video.config.experiment import SpeechVideoConfig

__all__ = ["SpeechVideoConfig"]
