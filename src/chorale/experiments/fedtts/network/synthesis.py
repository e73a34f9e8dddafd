"""Free-running synthesis: each step is told what the step before has said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorale.experiments.fedtts.network.transformer import TransformerTts


class Spoken(NamedTuple):
    """What the network has said.

    Attributes:
        mel: ``(frames, n_mels)``, after the postnet.
        unrefined: ``(frames, n_mels)``, before it: what the steps were told.
        attention: ``(layers, heads, steps, symbols)``.
        stopped: Whether the stop token came; else it was cut off.
    """

    mel: NDArray[np.float32]
    unrefined: NDArray[np.float32]
    attention: NDArray[np.float32]
    stopped: bool


@torch.no_grad()
def speak(network: TransformerTts, symbols: Sequence[int], reduction: int, threshold: float, max_frames: int) -> Spoken:
    """Say symbols, without any dropout, so that the same symbols sound the same each time.

    Keys and values of steps that are done are kept, so that a step costs no more than its own share.

    Args:
        network: On its device; its mode is as before afterwards.
        symbols: Numbers of the symbols; at least one.
        reduction: Mel frames per decoder step.
        threshold: Probability of the stop token at which the step is the last.
        max_frames: Frames after which it is cut off; at least one.
    """
    was_training = network.training
    network.eval()
    try:
        return _speak(network, symbols, reduction, threshold, max_frames)
    finally:
        network.train(was_training)


def _speak(
    network: TransformerTts, symbols: Sequence[int], reduction: int, threshold: float, max_frames: int
) -> Spoken:
    device = network.embedding.weight.device
    memory, _ = network.encode(
        torch.tensor([list(symbols)], device=device), torch.tensor([len(symbols)], device=device)
    )
    cache = network.decoder.start(memory)
    frame = torch.zeros(1, 1, network.n_mels, device=device)
    frames: list[Tensor] = []
    attention: list[Tensor] = []
    stopped = False
    while not stopped and len(frames) * reduction < max_frames:
        value, weights = network.decoder.step(frame, cache)
        mel, stop_logit = network.output(value, reduction)
        frames.append(mel)
        attention.append(torch.stack(weights)[:, 0])
        frame = mel[:, -1:]
        stopped = float(torch.sigmoid(stop_logit.float())) >= threshold
    unrefined = torch.cat(frames, dim=1)[:, :max_frames]
    refined = network.refine(unrefined, torch.tensor([unrefined.shape[1]], device=device))
    return Spoken(_array(refined[0]), _array(unrefined[0]), _array(torch.cat(attention, dim=2)), stopped)


def _array(values: Tensor) -> NDArray[np.float32]:
    result: NDArray[np.float32] = values.float().cpu().numpy()
    return result
