"""What is unknown of the paper, and what its peers do otherwise, each as a switch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

MethodKind = Literal["noise", "real", "dafl", "dfad", "zskt", "dfq"]


class ActivationConfig(Config):
    """The activation regularizer. The paper's equation is not known; ours is after Heo et al. 2019."""

    weight: float = Field(0.0, ge=0)
    """Of the student's regularizer; 0 leaves it out."""
    kind: Literal["boundary", "l2"] = "boundary"
    """``boundary``: whether a neuron is active as the teacher's is (Heo et al. 2019); ``l2``: squared difference of
    pre-activations, the control."""
    margin: float = Field(1.0, gt=0)
    """Of ``boundary``."""
    generator_weight: float = Field(0.0, ge=0)
    """Of minus the regularizer in the generator's loss; 0, the abstract's wording, leaves it to the student."""

    @model_validator(mode="after")
    def _of_the_student_first(self) -> ActivationConfig:
        if self.generator_weight and not self.weight:
            raise ValueError(
                "activation.generator_weight: without weight nothing trains the connectors it looks through"
            )
        return self


class InterpolationConfig(Config):
    """Virtual interpolation. The paper's equation is not known; ours is after mixup (Zhang et al. 2018)."""

    kind: Literal["none", "mixed", "unmixed"] = "none"
    """``mixed``: images in between two generated ones, and labels in between theirs; ``unmixed``: as many further
    generated images instead, the control, which cost further queries."""
    alpha: float = Field(1.0, gt=0)
    """The share is drawn from Beta(alpha, alpha)."""
    labels: Literal["logits", "probabilities"] = "logits"
    """What is interpolated; ``probabilities`` are matched by their Kullback-Leibler divergence."""
    ask_again: bool = False
    """Whether the teacher is asked about the images in between, which costs queries; else labels are virtual."""
    weight: float = Field(1.0, gt=0)
    """Of the student's loss on them."""


class DaflConfig(Config):
    """Weights of DAFL's generator loss; the defaults are of its published code."""

    one_hot: float = Field(1.0, ge=0)
    """That the teacher is sure."""
    activation: float = Field(0.1, ge=0)
    """That the teacher's features are large."""
    entropy: float = Field(5.0, ge=0)
    """That all classes come equally often."""


class DfqConfig(Config):
    """Weights of DFQ's generator loss. Our choice of scale; the paper's schedule of them is left out."""

    statistics: float = Field(1.0, ge=0)
    """That batch statistics are those that the teacher's normalisation layers have stored."""
    one_hot: float = Field(0.1, ge=0)
    """That the teacher is sure."""
    entropy: float = Field(1.0, ge=0)
    """That all classes come equally often."""
    adversarial: float = Field(1.0, ge=0)
    """That student and teacher disagree."""


class ZsktConfig(Config):
    """ZSKT (Micaelli and Storkey 2019)."""

    attention: float = Field(250.0, ge=0)
    """Weight of attention transfer in the student's loss; the default is of its published code."""
    temperature: float = Field(1.0, gt=0)
    """Of the Kullback-Leibler divergence."""


class MethodConfig(Config):
    """How images come about, and what the student and the generator minimise."""

    kind: MethodKind = "dfad"
    """``noise``: normal noise; ``real``: the training images, the ceiling; ``dafl``: Chen et al. 2019; ``dfad``: Fang
    et al. 2019, which the paper builds on; ``zskt``: Micaelli and Storkey 2019; ``dfq``: Choi et al. 2020."""
    generator_loss: Literal["minus", "log"] = "minus"
    """``dfad``: minus the disagreement, or -log(disagreement + 1), which cannot run away."""
    activation: ActivationConfig = ActivationConfig()
    """``dfad``: the activation regularizer."""
    interpolation: InterpolationConfig = InterpolationConfig()
    """``dfad``: virtual interpolation."""
    dafl: DaflConfig = DaflConfig()
    """``dafl``: its weights."""
    dfq: DfqConfig = DfqConfig()
    """``dfq``: its weights."""
    zskt: ZsktConfig = ZsktConfig()
    """``zskt``: its weights."""

    @model_validator(mode="after")
    def _regularizers_are_of_dfad(self) -> MethodConfig:
        activation, interpolation = self.activation, self.interpolation
        wanted = activation.weight or activation.generator_weight or interpolation.kind != "none"
        if wanted and self.kind != "dfad":
            raise ValueError(f"activation and interpolation are of kind dfad, and kind is {self.kind}")
        return self


class CollapseConfig(Config):
    """When a generator counts as collapsed (all images alike, or of one class), and what then happens."""

    action: Literal["stop", "restart", "ignore"] = "stop"
    """``stop``: the training ends with an error; ``restart``: the generator begins anew, with other weights and
    a fresh optimizer; ``ignore``: one line says so each time."""
    diversity: float = Field(0.02, ge=0)
    """Collapsed is a batch whose standard deviation over images, averaged over pixels, is below this share of the
    training images' (which are of about 1)."""
    label_entropy: float = Field(0.05, ge=0, le=1)
    """Collapsed is a batch whose labels by the teacher have an entropy below this share of the largest possible."""
    patience: int = Field(2, ge=1)
    """Evaluations in a row that must find it so."""
    restarts: int = Field(3, ge=0)
    """So often at most; then the training ends."""
