"""The sizes of the Transformer-TTS, and how its depth grows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config


class NetworkConfig(Config):
    """A pre-LN Transformer-TTS. The sizes of the configurations shipped are of ESPnet's and soobinseo's recipes."""

    encoder_layers: int = Field(3, ge=1)
    """Full depth of the encoder."""
    decoder_layers: int = Field(3, ge=1)
    """Full depth of the decoder."""
    width: int = Field(256, ge=8)
    """Of every layer's input and output."""
    heads: int = Field(4, ge=1)
    """Attention heads; they share the width."""
    feed_forward: int = Field(1024, ge=8)
    """Inner width of the feed-forward parts."""
    encoder_prenet: int = Field(256, ge=0)
    """Channels of the encoder prenet's convolutions; 0 leaves it out, with an embedding only."""
    encoder_prenet_layers: int = Field(3, ge=0)
    """Convolutions of the encoder prenet."""
    decoder_prenet: int = Field(256, ge=8)
    """Width of the decoder prenet's two layers."""
    postnet: int = Field(256, ge=0)
    """Channels of the postnet; 0 leaves it out."""
    postnet_layers: int = Field(5, ge=2)
    """Convolutions of the postnet."""
    kernel: int = Field(5, ge=1)
    """Frames or symbols that a convolution spans; odd."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Of every layer but the decoder prenet."""
    prenet_dropout: float = Field(0.5, ge=0, lt=1)
    """Of the decoder prenet, in training."""
    reduction: int = Field(2, ge=1)
    """Largest reduction factor: mel frames per decoder step that the output layer has room for."""

    @model_validator(mode="after")
    def _fits(self) -> NetworkConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.kernel % 2 == 0:
            raise ValueError("kernel: an odd number was expected")
        return self


class LossConfig(Config):
    """What training minimises: mel L1 before and after the postnet, stop tokens, guided attention."""

    stop_weight: float = Field(1.0, ge=0)
    """Of the stop token's cross-entropy."""
    stop_positive: float = Field(5.0, gt=0)
    """Weight of a step that ends an utterance within that cross-entropy."""
    guide_weight: float = Field(10.0, ge=0)
    """Of the guided attention loss; 0 leaves it out."""
    guide: Literal["diagonal", "labels"] = "diagonal"
    """``diagonal``: Tachibana et al. 2018, equation 4; ``labels``: the same about the corpus's phone timings."""
    guide_form: Literal["penalty", "likelihood"] = "penalty"
    """``penalty``: the weight outside of the band (Tachibana et al. 2018); ``likelihood``: minus the logarithm of the
    weight within, which moves a head that is sure of a wrong symbol too."""
    guide_sigma: float = Field(0.4, gt=0)
    """Width of the band: relative to the utterance for ``diagonal``, in symbols divided by ten for ``labels``."""
    guide_layers: int = Field(2, ge=1)
    """Topmost decoder layers whose attention is guided."""
    guide_heads: int = Field(2, ge=1)
    """First heads of each that are guided."""


class GrowthConfig(Config):
    """The dynamic transformer. The paper's rule is not known; both readings are choices of ours."""

    kind: Literal["none", "grow", "random"] = "none"
    """``none``: full depth from the start; ``grow``: layers are added at stage boundaries (after ProgFed and Gong
    et al. 2019); ``random``: a random part of the layers each round (after LayerDrop, Fan et al. 2020)."""
    first_layers: int = Field(1, ge=1)
    """``grow``: encoder and decoder layers of the first stage."""
    add_layers: int = Field(1, ge=1)
    """``grow``: layers that each further stage adds to both, up to the network's full depth."""
    every: float | None = Field(None, gt=0, lt=1)
    """``grow``: share of all rounds between two growths; 1 / (2 x stages), as in ProgFed, if not given."""
    position: Literal["top", "interleaved"] = "top"
    """``grow``: new layers on top of the old ones, or each copy beside its original (interleaved)."""
    initial: Literal["zero", "copy"] = "zero"
    """``grow``: output projections of new layers are zero, so that a new layer is the identity at first; or a new
    layer is a copy of the one below."""
    warmup_rounds: int = Field(0, ge=0)
    """``grow``: rounds after each growth in which the new layers alone are trained and sent."""
    keep: float = Field(0.7, gt=0, le=1)
    """``random``: chance of a layer to be in a round's network; the lowest layer of each stack always is."""
