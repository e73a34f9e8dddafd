"""How far generated pixels are from the real frame's."""

from __future__ import annotations

from torch import Tensor


def pixel_l1(generated: Tensor, real: Tensor, upper: float) -> Tensor:
    """Return ``Σ_i mean_p w_p |x~_ip - x_ip|``, w having a mean of 1.

    The lower half of a face, where the mouth is, counts more (after sda, Vougioukas et al. 2020, whose loss knows the
    lower half alone, the paper notes tell). Our **choice**: a weight for the upper half in relation to the lower's. To
    be divided by the frames of the global batch.

    Args:
        generated: x~, ``(batch, 3, height, width)`` in [-1, 1].
        real: x, likewise.
        upper: 0: the lower half alone; 1: all pixels alike.

    Raises:
        ValueError: Shapes differ, or the height is odd.
    """
    if generated.shape != real.shape or real.shape[2] % 2:
        raise ValueError(f"frames of one even height were expected: {tuple(generated.shape)}, {tuple(real.shape)}")
    apart = (generated.float() - real.float()).abs()
    above, below = (half.flatten(1).mean(dim=1).sum() for half in apart.chunk(2, dim=2))
    return (upper * above + below) / (upper + 1.0)
