"""Generated videos against the controls, paired: the same utterances, the same speakers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from chorale.core.verdicts import Claimed, Comparison, Direction, Effect, judge
from chorale.experiments.speech2video.metrics.controls import CONTROLS, MEASURES, Control, Measure

OURS = "generated"
"""Name of the videos that are judged."""

UtteranceFigures = Mapping[str, float | None]
"""A figure by utterance; None where it could not be measured."""
Table = Mapping[str, UtteranceFigures]
"""Figures by name of the measure."""


def by_unit(figures: UtteranceFigures, unit_of: Mapping[str, str]) -> dict[int, float | None]:
    """Return the mean of each unit, numbered in the order of all units' names, so that two systems' pair up.

    Utterances of one speaker are alike: what was sampled are speakers, so these are the units to compare over. Units of
    which nothing could be measured are left out.

    Args:
        figures: By utterance.
        unit_of: The unit of each, such as its speaker; every utterance of the test set is in it.

    Raises:
        KeyError: An utterance has no unit.
    """
    numbers = {unit: number for number, unit in enumerate(sorted(set(unit_of.values())))}
    known = defaultdict(list)
    for utterance, value in figures.items():
        unit = numbers[unit_of[utterance]]
        if value is not None:
            known[unit].append(value)
    return {unit: float(np.mean(values)) for unit, values in sorted(known.items())}


def paired(first: UtteranceFigures, second: UtteranceFigures) -> tuple[dict[str, float], dict[str, float]]:
    """Return two systems' figures of the utterances that could be measured of both.

    Args:
        first: Of one.
        second: Of the other.
    """
    left = {name: value for name, value in first.items() if value is not None}
    right = {name: value for name, value in second.items() if value is not None}
    both = [name for name in left if name in right]
    return {name: left[name] for name in both}, {name: right[name] for name in both}


def against_controls(
    generated: Table,
    controls: Mapping[str, Table],
    unit_of: Mapping[str, str],
    confidence: float,
    declared: Sequence[Control] = CONTROLS,
    measures: Sequence[Measure] = MEASURES,
) -> list[Effect]:
    """Return the differences generated minus control with intervals, for every measure that both have.

    What is claimed: better than a floor and than a peer, worse than a ceiling. Measures that are to be like the real
    video's have no better side and are left out, for them see the figures themselves.

    Args:
        generated: Figures of the videos that are judged.
        controls: Those of the controls, by name; those that were not run may be missing.
        unit_of: See :func:`by_unit`.
        confidence: Of the intervals.
        declared: Which controls there are.
        measures: Which measures.
    """
    effects = []
    for measure in measures:
        for control in declared:
            theirs = controls.get(control.name, {}).get(measure.name)
            ours = generated.get(measure.name)
            if ours is None or theirs is None or measure.better is None:
                continue
            first, second = paired(ours, theirs)
            direction = measure.better if control.side != "ceiling" else _opposite(measure.better)
            text = f"{measure.text}: {direction} than of {control.text}"
            comparison = Comparison(text, OURS, control.name, measure.name, Claimed("difference", direction))
            effects.append(judge(comparison, by_unit(first, unit_of), by_unit(second, unit_of), confidence))
    return effects


def _opposite(direction: Direction) -> Direction:
    return "lower" if direction == "higher" else "higher"
