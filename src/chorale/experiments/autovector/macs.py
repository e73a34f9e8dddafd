"""What a network costs: parameters, and multiply-accumulate operations for a stated number of frames."""

from __future__ import annotations

from chorale.experiments.autovector.architecture import Architecture


def parameter_count(network: Architecture) -> int:
    """Return the number of trained parameters of the embedding network, without the classifier of its training.

    A frame layer has k·i·o weights and o biases, and 2·o for batch normalisation; a projected skip i·o; the
    attention (w+1)·a + a + 1; the embedding (p+1)·e.
    """
    total = 0
    for layer in network.layers:
        total += layer.kernel * layer.inputs * layer.outputs + 3 * layer.outputs
        total += layer.inputs * layer.outputs if layer.projected else 0
    if network.pooling == "attentive-statistics":
        total += (network.frame_width + 1) * network.attention + network.attention + 1
    return total + (network.pooled_width + 1) * network.embedding


def mac_count(network: Architecture, frames: int) -> int:
    """Return the multiply-accumulates of one embedding of ``frames`` frames.

    Convolutions and matrix products are counted, as EfficientTDNN and wespeaker count them; biases, normalisation,
    activations and the sums of pooling are not. Every layer keeps the number of frames.
    """
    per_frame = 0
    for layer in network.layers:
        per_frame += layer.kernel * layer.inputs * layer.outputs
        per_frame += layer.inputs * layer.outputs if layer.projected else 0
    if network.pooling == "attentive-statistics":
        per_frame += network.frame_width * network.attention + network.attention
    return frames * per_frame + network.pooled_width * network.embedding
