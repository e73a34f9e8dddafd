"""A trial: a few steps of a throw-away task, to say how long the whole training will take."""

from __future__ import annotations

import time

import torch

from chorale.training.task import Task


def seconds_per_step(task: Task, steps: int, device: torch.device) -> float:
    """Return the mean wall time of a step, s, after one that is left out for what happens at first only.

    Args:
        task: Thrown away afterwards: its networks have learnt from these steps.
        steps: That are timed.
        device: Where it computes; waited for.

    Raises:
        ValueError: No step is to be timed.
    """
    if steps < 1:
        raise ValueError(f"{steps} steps cannot be timed")
    task.step(0)
    _wait_for(device)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        task.step(step)
    _wait_for(device)
    return (time.perf_counter() - began) / steps


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
