"""The speech encoder, pre-trained on the corpus's speech and on any other."""

from __future__ import annotations

from typing import Any

import torch

from chorale.core import files
from chorale.data.faces.config import SAMPLE_RATE_HZ
from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.corpus.clips import FaceClips
from chorale.experiments.speech2video.corpus.speech import ClipSpeech, FolderSpeech, JoinedSpeech, Speech
from chorale.experiments.speech2video.results import ENCODER_FILE
from chorale.experiments.speech2video.training.listening import ListeningTask
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.training import loop
from chorale.training.config import LoopConfig

_ENCODER = "encoder."


def listen(context: Context, config: SpeechVideoConfig) -> Outcome:
    """Train on all ranks, from the newest checkpoint if there is one, and keep the encoder.

    Raises:
        InputError: There is no speech as long as a window.
        WorkError: A loss is not finite.
        StoppedError: It was asked to stop, and has saved itself.
    """
    set_threads(context.where.threads)
    device, recipe = pick_device(context.where.device), config.speech
    clips = FaceClips.open(context.run, context.where.cache)
    speech: Speech = ClipSpeech(clips, "train")
    if recipe.folder is not None:
        speech = JoinedSpeech([speech, FolderSpeech(recipe.folder)])
    task = ListeningTask(speech, ClipSpeech(clips, "dev"), recipe, config.backend, config.seed, context.ranks, device)
    steps = LoopConfig(
        steps=recipe.steps,
        log_every=recipe.log_every,
        evaluate_every=max(1, recipe.steps // recipe.evaluations),
        checkpoint=config.checkpoint,
    )
    trained = loop.train(task, steps, context, config.seed)
    # On all ranks: parameters may lie in parts.
    state = task.engine.full_state()
    own = {name.removeprefix(_ENCODER): value for name, value in state.items() if name.startswith(_ENCODER)}
    evaluated = task.evaluate(recipe.steps)
    if context.ranks.rank == 0:
        path = context.artifacts / ENCODER_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(path) as temporary:
            torch.save(own, temporary)
    result: dict[str, Any] = {
        "recordings": len(speech.lengths),
        "speech_s": round(sum(speech.lengths) / SAMPLE_RATE_HZ, 1),
        "seconds": round(trained.seconds, 3),
        "parameters": sum(value.numel() for value in own.values()),
        "parameter_hash": hash_state(own),
        "world_size": context.ranks.size,
        **trained.metrics,
        **evaluated,
    }
    return Outcome(result)
