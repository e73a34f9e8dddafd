"""What a comparison found, as people read it. No heavy imports; works on JSON values alone."""

from __future__ import annotations

from chorale.core.wording import NOT_REACHED, Json, number

UNITS: dict[str, tuple[str, float]] = {
    "rounds": ("", 1.0),
    "bytes": ("MB", 1e6),
    "simulated_s": ("s", 1.0),
    "communication_s": ("s", 1.0),
    "final": ("", 1.0),
    "instability": ("", 1.0),
}
"""Unit of each figure, and how much of what is stored one unit is."""
LABELS = {
    "rounds": "rounds to target",
    "bytes": "MB to target",
    "simulated_s": "simulated s to target",
    "communication_s": "of them communication, s",
    "final": "final loss",
    "instability": "instability",
}
"""Column of each figure."""


def median_of(row: Json, figure: str) -> str:
    """Return an arm's median over seeds, its interval, and how many seeds have reached the target if not all have."""
    if figure not in row or not row["trainings"]:
        return "–"
    if row["arm"] == "central" and figure not in ("rounds", "final", "instability"):
        return "–"
    found, scale = row[figure], UNITS[figure][1]
    some = "" if found["reached"] == row["trainings"] else f" ({found['reached']} of {row['trainings']} seeds)"
    if found["median"] is None:
        return f"{NOT_REACHED}{some}"
    between = ""
    if found["low"] is not None:
        between = f" ({number(found['low'] / scale)} to {number(found['high'] / scale)})"
    return f"{number(found['median'] / scale)}{between}{some}"


def rule(result: Json) -> str:
    """Return how the verdicts come about."""
    seeds, percent = len(result["seeds"]), 100 * result["confidence"]
    return (
        f"Arms are compared seed by seed ({seeds} seeds); ratios by a {percent:g} % t-interval on their logarithms, "
        f"differences by one on themselves, each interval by itself. An interval that excludes no effect decides; "
        f"where a training does not reach the target there is no interval, and only an order that holds for every seed "
        f"decides; else the verdict is undecided. {width(seeds, result['confidence'])}"
    )


def width(seeds: int, confidence: float) -> str:
    """Say how wide an interval of so few seeds is."""
    if seeds == 3 and confidence == 0.95:
        return (
            "With 3 seeds an interval reaches 2.48 standard deviations of the paired effects to each side: "
            "only effects that are large beside the spread between seeds are seen."
        )
    return "Few seeds give wide intervals: only effects that are large beside the spread between seeds are seen."


def setting(result: Json) -> str:
    """Return what was trained, and what the target is."""
    target, finals = result["target"], ", ".join(number(value) for value in result["target_finals"])
    return (
        f"{result['utterances']['train']} sentences to learn from, {result['utterances']['valid']} held out, "
        f"{result['rounds']} rounds. Target: {number(target)}, which is {result['tolerance']:g} times the median final "
        f"validation loss of full depth with {len(result['target_finals'])} other seeds ({finals}). Bytes are those of "
        f"all clients, both directions, as serialised; seconds are simulated ({result['link']}). Instability is the "
        f"mean rise of the validation loss from one validation to the next, falls counting as 0."
    )
