"""Which way of distilling a configuration asks for."""

from __future__ import annotations

from typing import Final

from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.config.method import MethodKind
from chorale.experiments.datafree.corpus.data import ImageData
from chorale.experiments.datafree.methods.adversarial import Adversarial
from chorale.experiments.datafree.methods.base import Method
from chorale.experiments.datafree.methods.dafl import Dafl
from chorale.experiments.datafree.methods.dfq import Dfq
from chorale.experiments.datafree.methods.given import Noise, Real
from chorale.experiments.datafree.methods.zskt import Zskt
from chorale.experiments.datafree.players import Players

METHODS: Final[dict[MethodKind, type[Method]]] = {
    "noise": Noise,
    "real": Real,
    "dafl": Dafl,
    "dfad": Adversarial,
    "zskt": Zskt,
    "dfq": Dfq,
}


def make_method(players: Players, config: DatafreeConfig, data: ImageData) -> Method:
    """Return the configured way of distilling; of the data, only ``real`` is given the training images."""
    kind = config.method.kind
    if kind == "noise":
        return Noise(players, config, data.shape)
    if kind == "real":
        return Real(players, config, data)
    return METHODS[kind](players, config)


def rounds_of(config: DatafreeConfig) -> int:
    """Return how many rounds the budget of queries allows; at least one."""
    return max(1, config.schedule.queries // METHODS[config.method.kind].queries(config))


def compares_taps(config: DatafreeConfig) -> bool:
    """Say whether pre-activations of student and teacher are compared."""
    activation = config.method.activation
    return config.method.kind == "zskt" or activation.weight > 0 or activation.generator_weight > 0
