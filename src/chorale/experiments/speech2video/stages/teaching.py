"""The teachers, trained on the corpus's faces; the user's own are only checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from chorale.core import files
from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.config.teachers import TeacherConfig
from chorale.experiments.speech2video.corpus.clips import FaceClips
from chorale.experiments.speech2video.networks.emotion_teacher import EmotionTeacher
from chorale.experiments.speech2video.networks.identity_teacher import IdentityTeacher
from chorale.experiments.speech2video.networks.registry import GivenEmotionTeacher, GivenIdentityTeacher
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.results import teacher_file
from chorale.experiments.speech2video.training.teaching import TeachingTask, Told
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.training import loop
from chorale.training.config import LoopConfig

_NETWORK = "network."


def teach_emotion(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Train the emotion teacher on all ranks, or check the user's.

    Raises:
        InputError: The clips have no emotions, are of a size that no network has, or the user's does not answer.
        StoppedError: It was asked to stop, and has saved itself.
    """
    recipe = config.emotion_teacher
    clips, size = _opened(context)
    if recipe.network is not None:
        return Outcome({"source": recipe.network, "features": GivenEmotionTeacher(recipe.network, size).n_features})
    if len(clips.emotions) < 2:
        raise InputError("the clips have no emotions to tell apart", "name them, or set emotion_teacher.network")
    with _first_weights(config.seed, "emotion"):
        network = EmotionTeacher(size, len(clips.emotions), recipe.blocks, recipe.widths, recipe.bottleneck)
    return _taught(context, config, recipe, clips, network, "emotion", recipe.frames)


def teach_identity(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Train the identity teacher on all ranks, or check the user's.

    Raises:
        InputError: There is one speaker only, clips are of a size that no network has, or the user's does not answer.
        StoppedError: It was asked to stop, and has saved itself.
    """
    recipe = config.identity_teacher
    clips, size = _opened(context)
    if recipe.network is not None:
        return Outcome({"source": recipe.network, "features": GivenIdentityTeacher(recipe.network, size).n_features})
    if len(clips.speakers) < 2:
        raise InputError("the clips are of one speaker", "take more speakers, or set identity_teacher.network")
    with _first_weights(config.seed, "identity"):
        network = IdentityTeacher(size, len(clips.speakers), recipe.convolutions, recipe.widths)
    return _taught(context, config, recipe, clips, network, "speaker", 1)


def _opened(context: Context) -> tuple[FaceClips, FrameSize]:
    set_threads(context.where.threads)
    clips = FaceClips.open(context.run, context.where.cache)
    return clips, FrameSize.of(*clips.size)


@contextmanager
def _first_weights(seed: int, whose: str) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "first weights", whose))
        yield


def _taught(
    context: Context,
    config: SpeechVideoConfig,
    recipe: TeacherConfig,
    clips: FaceClips,
    network: nn.Module,
    told: Told,
    frames: int,
) -> Outcome:
    device = pick_device(context.where.device)
    task = TeachingTask(network, told, frames, clips, recipe, config.backend, config.seed, context.ranks, device)
    steps = LoopConfig(
        steps=recipe.steps,
        log_every=recipe.log_every,
        evaluate_every=max(1, recipe.steps // recipe.evaluations),
        checkpoint=config.checkpoint,
    )
    trained = loop.train(task, steps, context, config.seed)
    # On all ranks: parameters may lie in parts.
    state = task.engine.full_state()
    own = {name.removeprefix(_NETWORK): value for name, value in state.items()}
    result: dict[str, Any] = {
        "source": "trained",
        "features": network.n_features,
        "classes": clips.emotions if told == "emotion" else clips.speakers,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "parameter_hash": hash_state(own),
        "seconds": round(trained.seconds, 3),
        "world_size": context.ranks.size,
        "accuracy/dev": task.accuracy("dev"),
        "accuracy/test": task.accuracy("test"),
        **trained.metrics,
    }
    if context.ranks.rank == 0:
        path = context.artifacts / teacher_file(told)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(path) as temporary:
            torch.save(own, temporary)
    return Outcome(result)
