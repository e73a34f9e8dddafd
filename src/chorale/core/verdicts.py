"""From paired figures to an effect, its interval and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from chorale.core.intervals import log_interval, t_interval

Verdict = Literal["supported", "not supported", "undecided"]
Kind = Literal["ratio", "difference"]
Direction = Literal["lower", "higher"]
Figures = Mapping[int, float | None]
"""A figure of one arm by seed; None is censored: the target was not reached."""


class Claimed(NamedTuple):
    """How an effect is measured, and where a claim says that it lies.

    Attributes:
        kind: The arm's figure divided by the other's, or minus it.
        direction: Seen from no effect: a ratio of 1, a difference of 0.
    """

    kind: Kind
    direction: Direction


class Comparison(NamedTuple):
    """What a claim says of two arms.

    Attributes:
        text: In words.
        arm: Name of the arm that the claim is about.
        against: Name of the one it is compared with.
        figure: What of them is compared.
        claimed: The effect, and where it is said to lie.
    """

    text: str
    arm: str
    against: str
    figure: str
    claimed: Claimed


@dataclass(frozen=True)
class Effect:
    """A comparison that was carried out.

    Attributes:
        comparison: Which.
        estimate: Geometric mean of the ratios, or mean of the differences; None where a pair is censored.
        low: Lower end of the interval; None if there is none.
        high: Upper end.
        pairs: Seeds that both arms were trained with to the end.
        censored: Of these, how often the arm did not reach the target.
        censored_against: How often the other did not.
        verdict: By the rule of :func:`judge`.
    """

    comparison: Comparison
    estimate: float | None
    low: float | None
    high: float | None
    pairs: int
    censored: int
    censored_against: int
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return everything as one flat object."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "comparison"}
        of = self.comparison
        said = {"text": of.text, "arm": of.arm, "against": of.against, "figure": of.figure, **of.claimed._asdict()}
        return {**said, **found}


def judge(comparison: Comparison, arm: Figures, against: Figures, confidence: float) -> Effect:
    """Compare two arms seed by seed.

    The rule: an interval that excludes no effect (ratio 1, difference 0) decides, ``supported`` in the direction that
    is claimed, ``not supported`` in the other. Where figures are censored there is no interval; if one arm reaches the
    target with every seed and the other with none, that order decides, given at least two seeds. All else is
    ``undecided``. Ratios have a t-interval on their logarithms, differences one on themselves.

    Args:
        comparison: What is claimed.
        arm: Figures of its arm.
        against: Figures of the other.
        confidence: Of the interval.
    """
    pairs = [(arm[seed], against[seed]) for seed in sorted(arm.keys() & against.keys())]
    lost, lost_against = (sum(pair[side] is None for pair in pairs) for side in (0, 1))
    known = [(first, second) for first, second in pairs if first is not None and second is not None]
    if len(known) < len(pairs):
        verdict: Verdict = "undecided"
        if len(pairs) > 1 and {lost, lost_against} == {0, len(pairs)}:
            verdict = _decided("higher" if lost else "lower", comparison.claimed.direction)
        return Effect(comparison, None, None, None, len(pairs), lost, lost_against, verdict)
    if comparison.claimed.kind == "ratio":
        usable = all(second > 0 for _, second in known)
        found = log_interval([first / second for first, second in known], confidence) if usable else None
        nothing = 1.0
    else:
        found = t_interval([first - second for first, second in known], confidence)
        nothing = 0.0
    if found is None:
        return Effect(comparison, None, None, None, len(pairs), 0, 0, "undecided")
    verdict = "undecided"
    if found.low > nothing or found.high < nothing:
        verdict = _decided("higher" if found.low > nothing else "lower", comparison.claimed.direction)
    return Effect(comparison, found.estimate, found.low, found.high, len(pairs), 0, 0, verdict)


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a claim of several parts: one that is not supported is enough, else all must be."""
    given = set(verdicts)
    if "not supported" in given:
        return "not supported"
    return "supported" if given == {"supported"} else "undecided"


def _decided(found: Direction, claimed: Direction) -> Verdict:
    return "supported" if found == claimed else "not supported"
