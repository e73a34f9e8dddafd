"""What training minimises. Each loss is a SUM over its batch; what it is divided by comes from the GLOBAL batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from chorale.experiments.fedtts.config.network import LossConfig
from chorale.experiments.fedtts.network.transformer import Outputs, length_mask

if TYPE_CHECKING:
    from chorale.experiments.fedtts.corpus.batch import Batch

ValueT = TypeVar("ValueT", float, Tensor)
_SYMBOLS_PER_SIGMA: Final = 10.0
_LEAST_WEIGHT: Final = 1e-8


def mel_l1(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Return ``Σ_t mean_bins |predicted - target|`` over the true frames (Li et al. 2019 have L2; L1 is ESPnet's).

    Args:
        predicted: ``(batch, frames, n_mels)``.
        target: Likewise.
        lengths: True frames ``(batch,)``.
    """
    distances = (predicted.float() - target.float()).abs().mean(dim=2)
    return distances.masked_fill(~length_mask(lengths, target.shape[1]), 0.0).sum()


def stop_cross_entropy(logits: Tensor, steps: Tensor, positive_weight: float) -> Tensor:
    """Return ``-Σ_t [w y_t log p_t + (1 - y_t) log(1 - p_t)]`` over the true steps (Li et al. 2019, section 3.7).

    ``y`` is 1 at an utterance's last step and 0 before; ``w`` makes up for there being one such step in hundreds.

    Args:
        logits: ``(batch, steps)``.
        steps: True steps ``(batch,)``.
        positive_weight: w.
    """
    count = logits.shape[1]
    last = torch.arange(count, device=logits.device).unsqueeze(0) == (steps - 1).unsqueeze(1)
    weight = torch.tensor(positive_weight, device=logits.device)
    entropy = F.binary_cross_entropy_with_logits(logits.float(), last.float(), pos_weight=weight, reduction="none")
    return entropy.masked_fill(~length_mask(steps, count), 0.0).sum()


def diagonal_penalty(steps: Tensor, symbols: Tensor, longest: tuple[int, int], sigma: float) -> Tensor:
    """Return ``W_tn = 1 - exp(-(n / N - t / T)^2 / (2 sigma^2))`` (Tachibana et al. 2018, section 4.1, equation 4).

    Args:
        steps: T of each utterance, ``(batch,)``.
        symbols: N of each utterance, ``(batch,)``.
        longest: Steps and symbols of the result.
        sigma: Width of the band, relative to the utterance.

    Returns:
        ``(batch, steps, symbols)``, 0 at padding.
    """
    t, n = (torch.arange(length, device=steps.device, dtype=torch.float32) for length in longest)
    off = n[None, None, :] / symbols[:, None, None] - t[None, :, None] / steps[:, None, None]
    return _band(off, sigma) * _true_cells(steps, symbols, longest)


def label_penalty(
    durations: Tensor, mel_lengths: Tensor, reduction: int, symbols: Tensor, longest: tuple[int, int], sigma: float
) -> Tensor:
    """Return ``W_tn = 1 - exp(-(n - c_t)^2 / (2 sigma^2))`` with ``c_t`` the symbol that is spoken at step t.

    Our choice, after Tachibana et al. 2018: the band follows the corpus's labels instead of the diagonal. A step counts
    to the symbol of its middle frame.

    Args:
        durations: Frames of each symbol ``(batch, symbols)``, 0 at padding.
        mel_lengths: True frames ``(batch,)``.
        reduction: Frames per step.
        symbols: True symbols ``(batch,)``.
        longest: Steps and symbols of the result.
        sigma: In symbols.

    Returns:
        ``(batch, steps, symbols)``, 0 at padding.
    """
    steps, n = (torch.arange(length, device=durations.device) for length in longest)
    middles = torch.minimum((steps * reduction + reduction // 2).unsqueeze(0), (mel_lengths - 1).unsqueeze(1))
    ends = durations.cumsum(dim=1)
    spoken = torch.searchsorted(ends, middles.contiguous(), right=True).clamp_max(longest[1] - 1)
    off = (n[None, None, :] - spoken[:, :, None]).float()
    return _band(off, sigma) * _true_cells(steps_of(mel_lengths, reduction), symbols, longest)


def guided_attention(attention: Sequence[Tensor], penalty: Tensor) -> Tensor:
    """Return ``Σ_tn A_tn W_tn``, the mean over maps (Tachibana et al. 2018, equation 4, before its mean over cells).

    Args:
        attention: Of each guided layer, the guided heads ``(batch, heads, steps, symbols)``.
        penalty: W, ``(batch, steps, symbols)``.
    """
    maps = torch.stack([layer.mean(dim=1) for layer in attention]).mean(dim=0)
    return (maps * penalty).sum()


def guided_likelihood(attention: Sequence[Tensor], penalty: Tensor, steps: Tensor) -> Tensor:
    """Return ``-Σ_t log Σ_n A_tn (1 - W_tn)`` over the true steps, the mean over maps.

    Our choice, after Tachibana et al. 2018: their penalty's slope vanishes with ``A (1 - A)`` where a head is sure, be
    it of a wrong symbol; that of the logarithm grows the less weight the band has.

    Args:
        attention: Of each guided layer, the guided heads ``(batch, heads, steps, symbols)``.
        penalty: W, ``(batch, steps, symbols)``.
        steps: True steps ``(batch,)``.
    """
    within = (torch.stack(list(attention)) * (1.0 - penalty)[None, :, None]).sum(dim=4)
    # A head without any weight in the band, which fp32 can have, is to be moved, not to be infinite.
    logarithms = within.clamp_min(_LEAST_WEIGHT).log().mean(dim=(0, 2))
    return -logarithms.masked_fill(~length_mask(steps, penalty.shape[1]), 0.0).sum()


def speech_losses(outputs: Outputs, batch: Batch, reduction: int, config: LossConfig) -> dict[str, Tensor]:
    """Return each loss as a sum over the batch, in fp32; to be divided by :func:`denominators`.

    Raises:
        ValueError: The labels are to guide, and the batch has none.
    """
    steps = steps_of(batch.mel_lengths, reduction)
    sums = {
        "mel_before": mel_l1(outputs.mel, batch.mel, batch.mel_lengths),
        "mel_after": mel_l1(outputs.refined, batch.mel, batch.mel_lengths),
        "stop": stop_cross_entropy(outputs.stop_logits, steps, config.stop_positive),
    }
    if config.guide_weight:
        guided = [layer[:, : config.guide_heads] for layer in outputs.attention[-config.guide_layers :]]
        penalty = _penalty(batch, reduction, steps, config)
        if config.guide_form == "likelihood":
            sums["guide"] = guided_likelihood(guided, penalty, steps)
        else:
            sums["guide"] = guided_attention(guided, penalty)
    return sums


def denominators(
    mel_lengths: Sequence[int], symbol_lengths: Sequence[int], reduction: int, config: LossConfig
) -> dict[str, float]:
    """Return what each sum is divided by: true frames, true steps, and true cells of attention maps.

    Args:
        mel_lengths: Frames of every utterance of the GLOBAL batch.
        symbol_lengths: Its symbols.
        reduction: Frames per step.
        config: A likelihood is of steps, a penalty of cells.
    """
    frames = float(sum(mel_lengths))
    steps = [-(-length // reduction) for length in mel_lengths]
    cells = sum(count * symbols for count, symbols in zip(steps, symbol_lengths, strict=True))
    guided = sum(steps) if config.guide_form == "likelihood" else cells
    return {"mel_before": frames, "mel_after": frames, "stop": float(sum(steps)), "guide": float(guided)}


def total_loss(means: Mapping[str, ValueT], config: LossConfig) -> ValueT:
    """Return ``L1_before + L1_after + w_stop stop + w_guide guide`` of losses that have been divided already."""
    total = means["mel_before"] + means["mel_after"] + config.stop_weight * means["stop"]
    return total + config.guide_weight * means["guide"] if "guide" in means else total


def steps_of(mel_lengths: Tensor, reduction: int) -> Tensor:
    """Return the true decoder steps ``(batch,)``; the last may be partly padding."""
    return torch.div(mel_lengths + reduction - 1, reduction, rounding_mode="floor")


def _penalty(batch: Batch, reduction: int, steps: Tensor, config: LossConfig) -> Tensor:
    longest = (batch.mel.shape[1] // reduction, batch.symbols.shape[1])
    if config.guide == "diagonal":
        return diagonal_penalty(steps, batch.symbol_lengths, longest, config.guide_sigma)
    if batch.durations is None:
        raise ValueError("loss.guide: labels needs durations, and the batch has none")
    sigma = _SYMBOLS_PER_SIGMA * config.guide_sigma
    return label_penalty(batch.durations, batch.mel_lengths, reduction, batch.symbol_lengths, longest, sigma)


def _band(off: Tensor, sigma: float) -> Tensor:
    return 1.0 - torch.exp(-off.square() / (2.0 * sigma**2))


def _true_cells(steps: Tensor, symbols: Tensor, longest: tuple[int, int]) -> Tensor:
    return length_mask(steps, longest[0])[:, :, None] & length_mask(symbols, longest[1])[:, None, :]
