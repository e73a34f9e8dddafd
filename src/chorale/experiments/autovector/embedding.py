"""Embeddings of whole utterances, in batches of equal length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.experiments.autovector.network import SpeakerNetwork
from chorale.experiments.autovector.training import Features


def embed(
    network: SpeakerNetwork,
    features: Features,
    lengths: Sequence[int],
    utterances: Sequence[int],
    length_step: int,
    batch_frames: int,
    device: torch.device,
) -> NDArray[np.float32]:
    """Return the embeddings of ``utterances``, ``(utterances, embedding)``, in their order.

    Up to ``length_step - 1`` frames at an utterance's end are left out, so that many share a length: a batch then
    needs no padding, and an embedding does not depend on its neighbours' lengths.

    Args:
        network: A trained network; it is put into evaluation mode.
        features: Of every utterance.
        lengths: Frames of every utterance.
        utterances: Which to embed, as indices into ``features``.
        length_step: Lengths are cut to multiples of this, in frames; shorter utterances stay whole.
        batch_frames: At most so many frames are computed at once (one utterance at least).
        device: Where to compute.
    """
    network.to(device).eval()
    kept = [max(lengths[index] // length_step * length_step, min(lengths[index], length_step)) for index in utterances]
    result: NDArray[np.float32] | None = None
    with torch.inference_mode():
        for positions in _batches(kept, batch_frames):
            frames = kept[positions[0]]
            stacked = np.stack([features[utterances[position]][:frames] for position in positions])
            embeddings = network(torch.from_numpy(stacked).to(device)).cpu().numpy()
            if result is None:
                result = np.empty((len(utterances), embeddings.shape[1]), dtype=np.float32)
            result[positions] = embeddings
    if result is None:
        raise ValueError("there is no utterance to embed")
    return result


def _batches(lengths: Sequence[int], batch_frames: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda position: (lengths[position], position)):
        full = batch and (len(batch) + 1) * lengths[position] > batch_frames
        if batch and (full or lengths[position] != lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch
