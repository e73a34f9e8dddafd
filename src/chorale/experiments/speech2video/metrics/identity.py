"""Whether it is the same person: distances between embeddings of faces, and retrieval by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]
Distance = Literal["cosine", "euclidean"]


def distances(first: NDArray[Any], second: NDArray[Any], distance: Distance = "cosine") -> Floats:
    """Return the distance of every row to every row, ``(rows of first, rows of second)``.

    Args:
        first: ``(faces, features)``; integers are taken as floats.
        second: Likewise.
        distance: ``cosine``: 1 minus the cosine, from 0 to 2; ``euclidean``: L2, embeddings as they are.

    Raises:
        ValueError: Shapes do not fit, there are no rows, or a row has no direction.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or not len(one) or not len(other):
        raise ValueError(f"two arrays (faces, features) were expected, got {one.shape} and {other.shape}")
    if distance == "euclidean":
        return np.asarray(cdist(one, other), np.float64)
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other)]
    if not all(length.all() for length in lengths):
        raise ValueError("an embedding of zeros has no direction")
    return np.asarray(1 - (one / lengths[0]) @ (other / lengths[1]).T)


def acd_consistency(embeddings: NDArray[Any]) -> float | None:
    """Return the average content distance within one video (Tulyakov et al. 2018, sec. 4): does the face stay one.

    The mean L2 distance over all pairs of two of its frames. No real video is looked at: a still has 0, and so has a
    face that is someone else's throughout. Later papers call this kind ACD-C (Zhao et al. 2018).

    Args:
        embeddings: Of a generated video's frames, ``(frames, features)``.

    Returns:
        None of fewer than two frames.
    """
    if len(embeddings) < 2:
        return None
    apart = distances(embeddings, embeddings, "euclidean")
    return float(apart[np.triu_indices(len(apart), 1)].mean())


def acd_reference(generated: NDArray[Any], real: NDArray[Any], distance: Distance = "cosine") -> float:
    """Return the average content distance to the person (ACD-I, Zhao et al. 2018; as used for sda, Vougioukas et al.).

    These measure each generated frame against the one still that their network is given. Ours is given none, so the
    mean is over all pairs of a generated and a real frame (our choice). The floor is not 0: give real frames of
    another video of the person as ``generated`` to learn it.

    Args:
        generated: Embeddings of generated frames, ``(frames, features)``.
        real: Of real frames of the same person, ``(frames, features)``.
        distance: See :func:`distances`.

    Raises:
        ValueError: See :func:`distances`.
    """
    return float(distances(generated, real, distance).mean())


class Retrieval(NamedTuple):
    """How often the nearest real face is the right person's.

    Attributes:
        accuracy: Share of the generated ones.
        chance: The share that a gallery entry drawn at random would be right.
    """

    accuracy: float
    chance: float


def retrieval(
    generated: NDArray[Any], generated_speakers: Sequence[str], gallery: NDArray[Any], gallery_speakers: Sequence[str]
) -> Retrieval:
    """Return the accuracy of finding the speaker in a gallery of real faces by cosine distance, first place only.

    Args:
        generated: One embedding a video, such as the mean over its frames, ``(videos, features)``.
        generated_speakers: Who each is to be.
        gallery: Of real faces, from other utterances, ``(entries, features)``.
        gallery_speakers: Who each is.

    Raises:
        ValueError: Names do not fit, a speaker is not in the gallery, or see :func:`distances`.
    """
    apart = distances(generated, gallery)
    if apart.shape != (len(generated_speakers), len(gallery_speakers)):
        raise ValueError("a speaker for every embedding was expected")
    missing = sorted(set(generated_speakers) - set(gallery_speakers))
    if missing:
        raise ValueError(f"{missing[0]} is not in the gallery")
    wanted, there = np.array(generated_speakers), np.array(gallery_speakers)
    right = there[apart.argmin(axis=1)] == wanted
    return Retrieval(float(right.mean()), float((wanted[:, np.newaxis] == there[np.newaxis]).mean()))
