import math
from types import SimpleNamespace

import pytest
import torch
from face_teaching import STEPS, MadeUpFaces, losses
from torch import nn

from chorale.experiments.speech2video.training.teaching import TeachingModel

pytestmark = pytest.mark.unit


class Told(nn.Module):
    """Answers with a frame's first two values as logits."""

    def forward(self, frames):
        return SimpleNamespace(logits=frames.flatten(1)[:, :2])


def test_a_clip_s_loss_is_the_mean_over_its_frames_and_clips_are_summed():
    frames = torch.zeros(2, 2, 1, 1, 2)
    frames[0, 0, 0, 0] = torch.tensor([0.0, 2.0])
    frames[1, :, 0, 0] = torch.tensor([3.0, 0.0])
    found = TeachingModel(Told())(frames, torch.tensor([1, 0]))
    first = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert float(found.loss) == pytest.approx(first + math.log(1 + math.exp(-3)), rel=1e-6)
    # Of two equal logits the first counts: the first clip's second frame is told wrongly.
    assert float(found.hits) == 1.5


def test_teachers_learn_to_tell_made_up_emotions_and_speakers():
    told = losses({"kind": "single"})
    assert told[STEPS] == {"accuracy/emotion/held_out": 1.0}
    assert told[-1]["accuracy/speaker/held_out"] >= 0.8
    assert len(MadeUpFaces().keys("dev")) == 5
