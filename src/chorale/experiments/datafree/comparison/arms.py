"""The arms: ways of distilling, each derived from the run's own configuration.

All have the same teacher, the same first weights of the student for each seed, and the same budget of images that the
teacher is asked about. No heavy imports: stages are declared from this.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chorale.core.config import changed
from chorale.core.errors import InputError
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.config.method import InterpolationConfig

NOISE, REAL, DAFL, DFAD, ZSKT, DFQ = "noise", "real", "dafl", "dfad", "zskt", "dfq"
AR, VI, BOTH, L2, UNMIXED = "dfad-ar", "dfad-vi", "dfad-ar-vi", "dfad-l2", "dfad-unmixed"


class Arm(NamedTuple):
    """One way of distilling.

    Attributes:
        label: For people.
        configure: Returns its configuration, but for the seed.
    """

    label: str
    configure: Callable[[DatafreeConfig], DatafreeConfig]


def all_arms() -> dict[str, Arm]:
    """Return the arms by name, in the table's order."""
    return {
        NOISE: Arm("noise", lambda config: _method(config, kind="noise")),
        REAL: Arm("real images (ceiling)", lambda config: _method(config, kind="real")),
        DAFL: Arm("DAFL", lambda config: _method(config, kind="dafl")),
        DFAD: Arm("DFAD", _dfad),
        ZSKT: Arm("ZSKT", _zskt),
        DFQ: Arm("DFQ", lambda config: _method(config, kind="dfq")),
        AR: Arm("DFAD + AR", lambda config: _dfad(config, activation=config.method.activation)),
        VI: Arm("DFAD + VI", lambda config: _dfad(config, interpolation=_mixed(config))),
        BOTH: Arm(
            "DFAD + AR + VI",
            lambda config: _dfad(config, activation=config.method.activation, interpolation=_mixed(config)),
        ),
        L2: Arm(
            "DFAD + L2 (control of AR)",
            lambda config: _dfad(config, activation=changed(config.method.activation, kind="l2")),
        ),
        UNMIXED: Arm(
            "DFAD + unmixed (control of VI)",
            lambda config: _dfad(config, interpolation=changed(config.method.interpolation, kind="unmixed")),
        ),
    }


def arms_of(config: DatafreeConfig) -> dict[str, Arm]:
    """Return the arms of a comparison by name.

    Raises:
        InputError: There is no such arm.
    """
    known = all_arms()
    for name in config.comparison.arms:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"choose among: {', '.join(known)}"
            raise InputError(f"comparison.arms: no arm {name!r}", remedy)
    return {name: known[name] for name in config.comparison.arms} if config.comparison.arms else known


def arm_config(config: DatafreeConfig, name: str, seed: int) -> DatafreeConfig:
    """Return the configuration of one distillation.

    Args:
        config: Of the run.
        name: Of the arm.
        seed: Of first weights and every draw; not of the teacher.
    """
    return changed(all_arms()[name].configure(config), seed=seed)


def _method(config: DatafreeConfig, **values: Any) -> DatafreeConfig:
    """Return the run's configuration with a method, and without what only DFAD may have."""
    plain: Mapping[str, Any] = {
        "activation": changed(config.method.activation, weight=0.0, generator_weight=0.0),
        "interpolation": changed(config.method.interpolation, kind="none"),
    }
    return changed(config, mode="distil", method=changed(config.method, **{**plain, **values}))


def _dfad(config: DatafreeConfig, **values: Any) -> DatafreeConfig:
    return _method(config, kind="dfad", **values)


def _mixed(config: DatafreeConfig) -> InterpolationConfig:
    return changed(config.method.interpolation, kind="mixed")


def _zskt(config: DatafreeConfig) -> DatafreeConfig:
    return _method(
        changed(config, student=changed(config.student, steps=config.comparison.zskt_student_steps)), kind="zskt"
    )
