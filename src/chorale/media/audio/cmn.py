"""Cepstral mean normalisation over a sliding window."""

from __future__ import annotations

import torch


def sliding_cmn(features: torch.Tensor, window_frames: int) -> torch.Tensor:
    """Subtract from each frame the mean of the window around it.

    As Kaldi's ``apply-cmvn-sliding --center=true --norm-vars=false``: the window of frame t is
    [t - W // 2, t - W // 2 + W), moved inwards at the edges so that it keeps its length; a recording shorter than W
    is normalised by its own mean.

    Args:
        features: ``(frames, dim)``.
        window_frames: W.

    Returns:
        ``(frames, dim)``, of the same dtype.
    """
    frames = features.shape[0]
    window = min(window_frames, frames)
    starts = (torch.arange(frames) - window_frames // 2).clamp(0, frames - window)
    # float64: a running sum over an hour of frames loses the digits that the difference needs.
    sums = torch.nn.functional.pad(features.double().cumsum(0), (0, 0, 1, 0))
    means = (sums[starts + window] - sums[starts]) / window
    return (features.double() - means).to(features.dtype)
