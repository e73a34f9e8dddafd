"""The claims of the abstract of arXiv:2107.08795, in our words, and what of the arms each is held against.

No heavy imports. How a word of the abstract becomes a figure is our choice, for the paper's own measures are not known.
"""

from __future__ import annotations

from typing import NamedTuple

from chorale.core.verdicts import Claimed, Comparison
from chorale.experiments.fedtts.comparison.arms import (
    BASE,
    BASE_INT8,
    CENTRAL,
    GROWING,
    GROWING_INT8,
    RANDOM,
    SHALLOW,
    sized,
)
from chorale.experiments.fedtts.config import FedttsConfig

DATA = "data"
"""Stands for an arm: the training utterances' spectrograms as fp32, sent once, as central training would need them."""


_MORE, _LESS = Claimed("ratio", "higher"), Claimed("ratio", "lower")
_GREATER, _SMALLER = Claimed("difference", "higher"), Claimed("difference", "lower")


class Claim(NamedTuple):
    """A claim and its parts."""

    text: str
    parts: tuple[Comparison, ...]


def claims_of(config: FedttsConfig) -> list[Claim]:
    """Return the abstract's four claims, the first reading of "dynamic" (growing depth) taken."""
    few, many = config.comparison.clients[0], config.comparison.clients[-1]
    growing_few, growing_many = sized(config, GROWING, few), sized(config, GROWING, many)
    return [
        Claim(
            "A plain federated Transformer-TTS converges slowly and unstably, and costs much communication",
            (
                Comparison("more rounds to the target than central training", BASE, CENTRAL, "rounds", _MORE),
                Comparison("less stable than central training", BASE, CENTRAL, "instability", _GREATER),
                Comparison("more bytes to the target than sending the data once", BASE, DATA, "bytes", _MORE),
            ),
        ),
        Claim(
            "The federated dynamic transformer is much better, and approaches central training as clients increase",
            (
                Comparison("lower final loss than at full depth", GROWING, BASE, "final", _SMALLER),
                Comparison(
                    f"nearer to central training with {many} clients than with {few}",
                    growing_many,
                    growing_few,
                    "final",
                    _SMALLER,
                ),
            ),
        ),
        Claim("It converges faster and more stably", _faster(GROWING)),
        Claim("It takes significantly less communication time", (_less_communication(GROWING),)),
    ]


def second_reading() -> list[Comparison]:
    """Return the same of the second reading (random depth), where it can be asked."""
    better = Comparison("lower final loss than at full depth", RANDOM, BASE, "final", _SMALLER)
    return [better, *_faster(RANDOM), _less_communication(RANDOM)]


def headlines() -> list[Comparison]:
    """Return what the method must show: fewer bytes to one loss than full depth, and than cheaper ways of saving."""
    return [
        Comparison("growing depth against full depth", GROWING, BASE, "bytes", _LESS),
        Comparison("growing depth and int8 against full depth in fp32", GROWING_INT8, BASE, "bytes", _LESS),
        Comparison("growing depth against constant shallow depth", GROWING, SHALLOW, "bytes", _LESS),
        Comparison("growing depth in fp32 against full depth and int8", GROWING, BASE_INT8, "bytes", _LESS),
        Comparison("growing depth and int8 against full depth and int8", GROWING_INT8, BASE_INT8, "bytes", _LESS),
    ]


def _faster(arm: str) -> tuple[Comparison, ...]:
    return (
        Comparison("fewer rounds to the target than at full depth", arm, BASE, "rounds", _LESS),
        Comparison("more stable than at full depth", arm, BASE, "instability", _SMALLER),
    )


def _less_communication(arm: str) -> Comparison:
    text = "less simulated time of communication to the target than at full depth"
    return Comparison(text, arm, BASE, "communication_s", _LESS)
