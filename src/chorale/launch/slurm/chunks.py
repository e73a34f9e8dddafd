"""Arrays of any size: cut into chunks that the cluster takes, which share one throttle."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """One array of at most ``MaxArraySize`` tasks.

    Attributes:
        start: Its first task among all of them.
        stop: One past its last.
        throttle: How many of its tasks may run at once.
        after: Position of the chunk that must have ended before this one starts; None for none.
    """

    start: int
    stop: int
    throttle: int
    after: int | None = None


def cut(tasks: int, largest: int, throttle: int) -> list[Chunk]:
    """Cut ``tasks`` tasks into chunks of at most ``largest``, of which at most ``throttle`` tasks run at once.

    Slurm's ``%limit`` holds for one array, so the chunks that run beside one another share it, and each is as large as
    its share: they end together. Only where there are more chunks than the throttle allows do some wait for others.
    """
    if tasks == 0:
        return []
    # More chunks than tasks may run are of no use, and a throttle above the tasks is none.
    throttle = min(throttle, tasks)
    fewest = math.ceil(tasks / largest)
    lanes = next((n for n in range(fewest, throttle + 1) if _longest(tasks, n, throttle) <= largest), throttle)
    chunks: list[Chunk] = []
    for lane in range(lanes):
        share = _share(lane, lanes, throttle)
        start, stop = (_border(tasks, edge, lanes, throttle) for edge in (lane, lane + 1))
        parts = math.ceil((stop - start) / largest)
        for part in range(parts):
            first, last = (start + (stop - start) * edge // parts for edge in (part, part + 1))
            chunks.append(Chunk(first, last, share, after=len(chunks) - 1 if part else None))
    return chunks


def _share(lane: int, lanes: int, throttle: int) -> int:
    return throttle // lanes + (1 if lane < throttle % lanes else 0)


def _border(tasks: int, lane: int, lanes: int, throttle: int) -> int:
    """Return where lane ``lane`` begins: tasks are dealt out in proportion to the shares."""
    before = lane * (throttle // lanes) + min(lane, throttle % lanes)
    return tasks * before // throttle


def _longest(tasks: int, lanes: int, throttle: int) -> int:
    borders = [_border(tasks, lane, lanes, throttle) for lane in range(lanes + 1)]
    return max(stop - start for start, stop in itertools.pairwise(borders))
