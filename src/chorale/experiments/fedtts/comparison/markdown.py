"""What the comparison found, as Markdown: for the terminal, and for the benchmarks. No heavy imports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chorale.core.wording import Json, effect_of, interval_of
from chorale.core.wording import number as _number
from chorale.experiments.fedtts.comparison.words import LABELS, median_of, rule, setting

TITLE = "Claims of arXiv:2107.08795, at a size for one machine"
CAUTION = (
    "A network a fraction of the paper notes' and minutes of training: this shows which way the method leans at this "
    "size, and says little about the paper's own. How a word of the abstract becomes a figure is our choice."
)


def render(result: Any) -> str:
    """Return heading, setting, verdicts, headlines and the table of arms."""
    claims = result["claims"]
    percent = f"{100 * result['confidence']:g} % interval"
    head = ("claim", "effect", percent, "verdict")
    rows: list[Sequence[str]] = []
    for position, claim in enumerate(claims, start=1):
        rows.append((f"**{position}. {claim['text']}**", "", "", f"**{claim['verdict']}**"))
        rows += (_effect_row(part) for part in claim["parts"])
    blocks = [
        f"## {TITLE}",
        f"`chorale claims fedtts`: {_trainings(result)}, {result['cpu_minutes']:.0f} minutes of processor time; "
        f"run `{result['run']}`. {setting(result)}",
        CAUTION,
        rule(result),
        _table(head, rows),
        "Bytes to the target:",
        _table(("ratio of bytes", *head[1:3], "fewer bytes"), map(_effect_row, result["headlines"])),
        'The second reading of "dynamic", random depth:',
        _table(head, map(_effect_row, result["second_reading"])),
        f"Medians over seeds, {percent}s in brackets:",
        _arms(result),
    ]
    if result["failed"]:
        blocks.append(f"Trainings that failed: {len(result['failed'])} ({'; '.join(sorted(set(result['failed'])))}).")
    return "\n\n".join(blocks)


def _trainings(result: Json) -> str:
    count = sum(row["trainings"] for row in result["rows"])
    return f"{count} trainings and {len(result['target_finals'])} for the target"


def _effect_row(effect: Json) -> Sequence[str]:
    arms = f"`{effect['arm']}` : `{effect['against']}`"
    return (f"{effect['text']} ({arms})", effect_of(effect), interval_of(effect), effect["verdict"])


def _arms(result: Json) -> str:
    columns = ("arm", "", *LABELS.values(), "MB in all")
    rows = []
    for row in result["rows"]:
        total = "–" if row["total_bytes"] is None else _number(row["total_bytes"] / 1e6)
        rows.append((f"`{row['arm']}`", row["label"], *(median_of(row, figure) for figure in LABELS), total))
    return _table(columns, rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
