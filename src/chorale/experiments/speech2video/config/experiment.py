"""The whole configuration, and what must fit together in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.data.corpora.rendered.config import RenderedConfig
from chorale.data.corpora.talking.config import TalkingFacesConfig, TalkingSplitConfig
from chorale.data.faces.config import FacesConfig
from chorale.experiments.speech2video.config.speech import SpeechConfig
from chorale.experiments.speech2video.config.teachers import EmotionTeacherConfig, IdentityTeacherConfig
from chorale.ranks.config import BackendConfig
from chorale.runs.contract import ExperimentConfig
from chorale.training.config import CheckpointConfig


class SpeechVideoConfig(ExperimentConfig):
    """A talking face from a voice alone."""

    experiment: Literal["speech2video"] = "speech2video"
    """The experiment's name."""
    mode: Literal["corpus", "listen", "teach"] = "corpus"
    """``corpus``: clips are rendered or read, and made ready for training; ``listen``: then the speech encoder is
    pre-trained; ``teach``: the encoder and both teachers."""
    rendered: RenderedConfig | None = RenderedConfig()
    """Talking heads that are rendered; null where ``corpus`` is given."""
    corpus: TalkingFacesConfig | None = None
    """Clips of real people instead."""
    faces: FacesConfig = FacesConfig()
    """How they are aligned, judged and cut out."""
    split: TalkingSplitConfig = TalkingSplitConfig()
    """What training and testing share."""
    speech: SpeechConfig = SpeechConfig()
    """The speech encoder."""
    emotion_teacher: EmotionTeacherConfig = EmotionTeacherConfig()
    """Tells emotions by faces."""
    identity_teacher: IdentityTeacherConfig = IdentityTeacherConfig()
    """Tells people by faces."""
    backend: BackendConfig = BackendConfig()
    """How ranks train together."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When a training is saved. Changes no result."""
    shard_clips: int = Field(24, ge=1)
    """Clips that one task of an array renders or prepares, one after the other."""

    @model_validator(mode="after")
    def _fits(self) -> SpeechVideoConfig:
        if (self.rendered is None) == (self.corpus is None):
            raise ValueError("rendered, corpus: exactly one of them was expected; set rendered to null for a corpus")
        for name in ("speech", "emotion_teacher", "identity_teacher"):
            batch = getattr(self, name).batch
            if batch < self.backend.world_size:
                raise ValueError(f"{name}.batch {batch} does not go round {self.backend.world_size} ranks")
        return self
