"""How seconds are taken, and how several of them are told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch

Stats = dict[str, float]


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Return what ``work`` takes: on a GPU until it has ended there, on a CPU the seconds of processor time.

    With one thread the latter is what the work would take on a machine that does nothing else, but for shared caches.
    """
    if device.type == "cpu":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began


def stats(values: Sequence[float]) -> Stats:
    """Return median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
