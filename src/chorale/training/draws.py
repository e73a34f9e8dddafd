"""The random state of a process: seeded at a training's begin, saved with it, and taken back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from chorale.core.seeds import seed_for


def seed_everything(seed: int, rank: int) -> None:
    """Seed every library's generator.

    Python's is seeded alike on every rank, for draws that all ranks share (see
    :class:`~chorale.training.dropout.SampleDropout`); numpy's and torch's are each rank's own.
    """
    random.seed(seed_for(seed, "python"))
    np.random.seed(seed_for(seed, "numpy", rank) % 2**32)
    torch.manual_seed(seed_for(seed, "torch", rank))


def random_state() -> dict[str, Any]:
    """Return the state of every library's generator, in a form that torch loads with ``weights_only``."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "numpy": [torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Take back what :func:`random_state` returned; what is missing stays as it is."""
    if "python" in state:
        version, words, gauss = state["python"]
        random.setstate((version, tuple(words), gauss))
    if "numpy" in state:
        keys, position, has_gauss, cached = state["numpy"]
        np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
    if "torch" in state:
        torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
