"""One distillation: from the teacher's file to the student's, with the figures over the rounds."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch

from chorale.core import files
from chorale.experiments.datafree.building import build_parts
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.distillation import DistillationTask
from chorale.experiments.datafree.methods.choice import METHODS, rounds_of
from chorale.experiments.datafree.results import (
    GENERATOR_FILE,
    STUDENT_FILE,
    TEACHER_FILE,
    networks_folder,
    sheets_folder,
)
from chorale.experiments.datafree.teacher import load_teacher
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import peak_memory_gib, pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.runs.events import read_events
from chorale.training import loop
from chorale.training.config import LoopConfig

_NETWORK = "network."
_LAST_EVALUATION = ("agreement", "boundary_mismatch", "diversity", "label_entropy")


def distil(context: Context, config: DatafreeConfig) -> Outcome:
    """Distil on all ranks, from the newest checkpoint if there is one, and keep student and generator.

    Raises:
        InputError: Networks do not fit one another.
        WorkError: A loss is not finite, or the generator has collapsed.
        StoppedError: It was asked to stop, and has saved itself.
    """
    set_threads(context.where.threads)
    sheets = sheets_folder(context.run) if config.corpus is not None else None
    return Outcome(distilled(context, config, sheets, networks_folder(context.run)))


def distilled(context: Context, config: DatafreeConfig, sheets: Path | None, keep_in: Path | None) -> dict[str, Any]:
    """Distil, and return the figures: final, mean and best accuracy apart, and what they cost.

    Args:
        context: Of the stage.
        config: Of this distillation.
        sheets: Where sheets of generated images go; none are written if not given.
        keep_in: Where student and generator are kept; they are not if not given.
    """
    began = time.process_time()
    data, device = ImageData.read(config, context.where.cache), pick_device(context.where.device)
    teacher = load_teacher(config.teacher, context.artifacts / TEACHER_FILE, data.shape, len(data.classes))
    parts = build_parts(teacher, data, config, context.ranks, device)
    task = DistillationTask(parts, data, config, context.ranks, device, sheets)
    rounds = rounds_of(config)
    steps = LoopConfig(
        steps=rounds,
        log_every=config.schedule.log_every,
        evaluate_every=max(1, rounds // config.schedule.evaluations),
        checkpoint=config.checkpoint,
    )
    trained = loop.train(task, steps, context, config.seed)
    # On all ranks: parameters may lie in parts.
    student = parts.players.student.full_state()
    generator = None if parts.generator is None else parts.generator.full_state()
    if keep_in is not None and context.ranks.rank == 0:
        own = {name.removeprefix(_NETWORK): value for name, value in student.items() if name.startswith(_NETWORK)}
        _save(keep_in / STUDENT_FILE, own)
        if generator is not None:
            _save(keep_in / GENERATOR_FILE, generator)
    # What was logged holds the rounds of earlier attempts too.
    events = read_events(context.run.events, context.stage.name, context.index)
    curve = [(event.step, event.value) for event in events if event.name == "accuracy"]
    return {
        **figures(curve),
        **{event.name: event.value for event in events if event.name in _LAST_EVALUATION},
        "curve": [list(point) for point in curve],
        "queries": rounds * METHODS[config.method.kind].queries(config),
        "student_updates": rounds * config.student.steps,
        "rounds": rounds,
        "seconds": round(trained.seconds, 3),
        "cpu_s": round(time.process_time() - began, 1),
        "memory_gib": peak_memory_gib(device),
        "world_size": context.ranks.size,
        "parameter_hash": hash_state(student),
        **trained.metrics,
    }


def figures(curve: list[tuple[int, float]]) -> dict[str, float]:
    """Return the last accuracy, the mean over evaluations and the best, apart: the best is chosen on test images."""
    values = [value for _, value in curve]
    return {"final": values[-1], "mean": math.fsum(values) / len(values), "best": max(values)}


def _save(path: Path, state: dict[str, torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as temporary:
        torch.save(state, temporary)
