"""Losses of the WHOLE batch, computed by one process or by several ranks that hold a slice each.

As a program it is one rank: ``python datafree_losses.py SCENARIOS.json RESULTS.json``; a scenario says whether sums
over ranks are left out, as someone who takes a slice for the batch would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from chorale.experiments.datafree.losses.batch_statistics import batch_statistics_kl
from chorale.experiments.datafree.losses.dafl import information_entropy
from chorale.experiments.datafree.losses.disagreement import generator_log_l1, logit_l1
from chorale.experiments.datafree.networks.batch_statistics import BatchStatistics
from chorale.experiments.datafree.networks.registry import build_classifier
from chorale.experiments.datafree.networks.shapes import ImageShape
from chorale.ranks.group import Group, SingleProcess, open_group
from chorale.ranks.reduce import sum_over_ranks
from chorale.training.task import slice_of

BATCH = 7
"""Odd, so that two ranks have slices of different length."""
SHAPE = ImageShape(1, 8, 8)
_CLASSES = 5


def losses(group: Group, local: bool = False) -> dict[str, dict[str, Any]]:
    """Return each loss of the batch, and its gradient at what makes the images, both summed over ranks."""
    teacher, student = (build_classifier("resnet8-half", SHAPE, _CLASSES, seed).eval() for seed in (0, 1))
    noise = torch.randn(BATCH, SHAPE.values, generator=torch.Generator().manual_seed(2))
    # Images differ in size, so that a slice is not like the batch.
    noise *= torch.linspace(0.1, 3.0, BATCH).unsqueeze(1)
    part = slice_of(BATCH, group.rank, group.size)
    count = len(part.samples)
    found = {}
    for name in ("log-l1", "information-entropy", "batch-statistics"):
        scale = torch.linspace(0.5, 4.0, SHAPE.values, requires_grad=True)
        images = (scale * noise[part.first : part.last]).view(-1, *SHAPE)
        with BatchStatistics(teacher) as noted:
            theirs = teacher(images)
        if name == "log-l1":
            disagreement = logit_l1(student(images), theirs)
            total = disagreement * (BATCH / count) if local else sum_over_ranks(disagreement)
            loss = generator_log_l1(total, BATCH, count)
        elif name == "information-entropy":
            probabilities = torch.softmax(theirs, dim=1).sum(0)
            total = probabilities * (BATCH / count) if local else sum_over_ranks(probabilities)
            loss = information_entropy(total, BATCH, count)
        else:
            loss = batch_statistics_kl(noted.layers(), count)
        (gradient,) = torch.autograd.grad(loss / BATCH, scale)
        every = group.gather([float(loss.detach()) / BATCH, *gradient.tolist()])
        value, *summed = (sum(each) for each in zip(*every, strict=True))
        found[name] = {"loss": value, "gradient": summed}
    return found


def main() -> None:
    """Carry out each scenario on this rank; rank 0 writes what was found."""
    scenarios, results = map(Path, sys.argv[1:])
    group = open_group("ranks")
    found = [losses(group, local) for local in json.loads(scenarios.read_text())]
    if group.rank == 0:
        results.write_text(json.dumps(found))
    group.close()


def alone() -> dict[str, dict[str, Any]]:
    """Return what one process finds."""
    return losses(SingleProcess())


if __name__ == "__main__":
    main()
