"""The teacher: trained on labelled images, or the user's own, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from chorale.core import files
from chorale.core.errors import InputError, WorkError
from chorale.core.logs import get_logger
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.evaluation import measured_accuracy
from chorale.experiments.datafree.forecast import forecast
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.results import FORECAST_FILE, TEACHER_FILE, TEACHER_RECORD
from chorale.experiments.datafree.teacher import TeacherTask, load_teacher
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.runs.events import read_events
from chorale.training import loop
from chorale.training.config import LoopConfig

_NETWORK = "network."
_log = get_logger(__name__)


def make_teacher(context: Context, config: DatafreeConfig) -> Outcome:
    """Train the teacher on all ranks, or take the user's weights; keep it with how it came about.

    Raises:
        InputError: The user's weights do not fit, or there are fewer images in a batch than ranks.
        WorkError: The teacher is worse than required, or its loss is not finite.
        StoppedError: The training was asked to stop, and has saved itself.
    """
    set_threads(context.where.threads)
    data, device = ImageData.read(config, context.where.cache), pick_device(context.where.device)
    if config.trial and config.mode == "distil":
        _foretell(context, config, data)
    found = _given(context, config, data) if config.teacher.weights is not None else _trained(context, config, data)
    teacher = load_teacher(config.teacher, context.artifacts / TEACHER_FILE, data.shape, len(data.classes)).to(device)
    accuracy = measured_accuracy(teacher, data, context.ranks, device)
    required = config.teacher.required_accuracy
    if required is not None and accuracy < required:
        raise WorkError(
            f"the teacher has {100 * accuracy:.2f} % of the test images right, and {100 * required:.2f} % are required",
            "train it longer (teacher.steps), or lower teacher.required_accuracy",
        )
    record = {
        **found,
        "accuracy": accuracy,
        "network": config.teacher.network,
        "parameters": sum(parameter.numel() for parameter in teacher.parameters()),
        "parameter_hash": hash_state(teacher.state_dict()),
        "classes": list(data.classes),
        "shape": list(data.shape),
        "mean": list(data.scale.mean),
        "deviation": list(data.scale.deviation),
    }
    if context.ranks.rank == 0:
        files.write_json(context.artifacts / TEACHER_RECORD, record)
    return Outcome({key: value for key, value in record.items() if key not in ("recipe", "curve")})


def _foretell(context: Context, config: DatafreeConfig, data: ImageData) -> None:
    path = context.artifacts / FORECAST_FILE
    # What was said before the run began stays said.
    if path.exists():
        return
    found = forecast(config, data, context.ranks, pick_device(context.where.device))
    if context.ranks.rank == 0:
        _log.info("forecast: %s", found.in_words())
        files.write_json(path, {"words": found.in_words(), "hours": found.hours, **found._asdict()})


def _given(context: Context, config: DatafreeConfig, data: ImageData) -> dict[str, Any]:
    weights = config.teacher.weights or Path()
    teacher = load_teacher(config.teacher, weights, data.shape, len(data.classes))
    _keep(context, teacher.state_dict())
    return {"source": str(weights)}


def _trained(context: Context, config: DatafreeConfig, data: ImageData) -> dict[str, Any]:
    recipe, ranks = config.teacher, context.ranks
    if recipe.batch < ranks.size:
        raise InputError(
            f"a batch of {recipe.batch} images does not go round {ranks.size} ranks", "raise teacher.batch"
        )
    network = build_classifier(recipe.network, data.shape, len(data.classes), config.seed)
    task = TeacherTask(network, data, recipe, config.backend, config.seed, ranks, pick_device(context.where.device))
    steps = LoopConfig(
        steps=recipe.steps,
        log_every=recipe.log_every,
        evaluate_every=recipe.evaluate_every or recipe.steps,
        checkpoint=config.checkpoint,
    )
    trained = loop.train(task, steps, context, config.seed)
    state = task.engine.full_state()
    _keep(context, {name.removeprefix(_NETWORK): value for name, value in state.items() if name.startswith(_NETWORK)})
    events = read_events(context.run.events, context.stage.name, context.index)
    return {
        "source": "trained",
        "world_size": ranks.size,
        "seed": config.seed,
        "seconds": round(trained.seconds, 3),
        "recipe": recipe.model_dump(mode="json"),
        "curve": [[event.step, event.value] for event in events if event.name == "accuracy/teacher"],
    }


def _keep(context: Context, state: dict[str, Any]) -> None:
    if context.ranks.rank == 0:
        path = context.artifacts / TEACHER_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(path) as temporary:
            torch.save(state, temporary)
    context.ranks.barrier()
