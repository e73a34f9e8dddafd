"""What the comparison found, as Markdown: for the terminal, and for the benchmarks. No heavy imports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chorale.core.wording import Json, effect_of, interval_of

TITLE = "Claims of arXiv:2102.11638, at a size for one machine"
CAUTION = (
    "Small networks, small images and a minute of training each: this shows which way the method leans at this size, "
    "and says little about the paper's own. The paper's equations are not known to us: regularizer and interpolation "
    "are our reading of its abstract."
)
SHOWN_SHARES = ("final", "mean", "best", "agreement", "boundary_mismatch")
SHOWN_COSTS = ("queries", "student_updates", "cpu_s")
ARM_COLUMNS = (
    "arm",
    "runs",
    "final, %",
    "mean, %",
    "best, %",
    "agreement, %",
    "mismatch, %",
    "queries",
    "updates",
    "s",
)
"""Of the table of arms: what it shows, under which names."""


def render(result: Any) -> str:
    """Return heading, setting, verdicts, controls and the table of arms."""
    percent = f"{100 * result['confidence']:g} % interval"
    head = ("claim", "effect, points", percent, "verdict")
    rows: list[Sequence[str]] = []
    for position, claim in enumerate(result["claims"], start=1):
        rows.append((f"**{position}. {claim['text']}**", "", "", f"**{claim['verdict']}**"))
        rows += (_effect_row(part) for part in claim["parts"])
    blocks = [
        f"## {TITLE}",
        f"`chorale claims datafree`: {sum(row['runs'] for row in result['rows'])} distillations, "
        f"{result['cpu_minutes']:.0f} minutes of processor time; run `{result['run']}`. {setting(result)}",
        CAUTION,
        rule(result),
        _table(head, rows),
        "Controls:",
        _table(("control", *head[1:3], "holds"), map(_effect_row, result["controls"])),
        f"Means over seeds, {percent}s in brackets:",
        _arms(result),
    ]
    if result["failed"]:
        blocks.append(
            f"Distillations that failed: {len(result['failed'])} ({'; '.join(sorted(set(result['failed'])))})."
        )
    return "\n\n".join(blocks)


def setting(result: Json) -> str:
    """Return what was distilled with what."""
    teacher = result["teacher"]
    return (
        f"Teacher: {teacher['network']}, {100 * teacher['accuracy']:.2f} % of the test images right. Each arm may ask "
        f"it about {result['budget']:,} images; {len(result['seeds'])} seeds, of which each gives all arms the same "
        f"student to begin with."
    )


def rule(result: Json) -> str:
    """Return how the verdicts come about."""
    return (
        f"Arms are compared seed by seed by a {100 * result['confidence']:g} % t-interval on the differences, each "
        f"interval by itself; one that excludes 0 decides, else the verdict is undecided. Accuracies are those after "
        f"the last round; mean and best over the evaluations stand apart, and the best is chosen on test images. "
        "Mismatch is the share of the teacher's neurons that the student has on the other side of their boundary on "
        "test images; the regularizer minimises just that, on generated ones, and without it nothing makes neurons "
        "correspond."
    )


def in_points(effect: Json) -> dict[str, Any]:
    """Return an effect on shares in percentage points."""
    scaled = {key: None if effect[key] is None else 100 * effect[key] for key in ("estimate", "low", "high")}
    return {**effect, **scaled}


def share_of(row: Json, figure: str) -> str:
    """Return an arm's mean in percent and its interval; a dash where there is none."""
    found = row.get(figure)
    if not found:
        return "–"
    between = "" if found["low"] is None else f" ({100 * found['low']:.2f} to {100 * found['high']:.2f})"
    return f"{100 * found['mean']:.2f}{between}"


def _effect_row(effect: Json) -> Sequence[str]:
    shown = in_points(effect)
    arms = f"`{effect['arm']}` - `{effect['against']}`"
    return (f"{effect['text']} ({arms})", effect_of(shown), interval_of(shown), effect["verdict"])


def _arms(result: Json) -> str:
    rows = [
        (
            row["label"],
            str(row["runs"]),
            *(share_of(row, figure) for figure in SHOWN_SHARES),
            *("–" if row[cost] is None else f"{row[cost]:,.0f}" for cost in SHOWN_COSTS),
        )
        for row in result["rows"]
    ]
    return _table(ARM_COLUMNS, rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
