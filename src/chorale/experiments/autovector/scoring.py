"""The back end: cosine similarity after centring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK_TRIALS = 100_000
_SMALLEST_LENGTH = 1e-12


def cosine_scores(
    embeddings: NDArray[np.float32],
    centre: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the cosine between the two sides of each trial, ``(trials,)``.

    Args:
        embeddings: ``(utterances, embedding)``.
        centre: Mean embedding of the training utterances, ``(embedding,)``; subtracted first.
        first: Row of ``embeddings`` of each trial's first side, ``(trials,)``.
        second: Row of its second side.
    """
    centred = embeddings.astype(np.float64) - centre.astype(np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # An embedding at the centre has no direction: every cosine with it is 0.
    directions = centred / np.maximum(lengths, _SMALLEST_LENGTH)
    scores = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), _CHUNK_TRIALS):
        part = slice(start, start + _CHUNK_TRIALS)
        scores[part] = np.einsum("te,te->t", directions[first[part]], directions[second[part]])
    return scores
