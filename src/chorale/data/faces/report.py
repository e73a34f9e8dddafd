"""What became of a clip, as a line of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from chorale.core.config import Config
from chorale.data.faces.offset import Offset, pooled_offset
from chorale.data.faces.quality import Reason

REPORT_COLUMNS = (
    "key",
    "speaker",
    "emotion",
    "sentence",
    "kept",
    "reason",
    "detail",
    "seconds",
    "face_px",
    "unseen",
    "turn",
    "level_dbfs",
    "offset_s",
    "offset_correlation",
    "offset_clear",
)
"""Of the report as a table."""


class ClipReport(Config):
    """A clip that was kept or dropped."""

    key: str
    """The clip's."""
    speaker: str
    """Likewise."""
    emotion: str | None
    """Likewise."""
    sentence: str | None
    """Likewise."""
    reason: Reason | None
    """Why it was dropped; None where it was kept."""
    detail: str
    """What was found, in one line; empty where it was kept."""
    facts: dict[str, JsonValue]
    """What was measured, as far as it came: ``frames``, ``seconds``, ``face_px``, ``unseen``, ``turn``,
    ``level_dbfs``, ``source`` (height, width, rate), ``offset_s``, ``offset_correlation``, ``offset_clear``,
    ``offset_curve``; of a clip dropped for its face, ``parts``: seconds between which one is seen in one shot."""

    @property
    def kept(self) -> bool:
        """Say whether the clip was kept."""
        return self.reason is None

    def labels(self) -> dict[str, JsonValue]:
        """Return who speaks, how and what."""
        return {"speaker": self.speaker, "emotion": self.emotion, "sentence": self.sentence}

    def row(self) -> dict[str, Any]:
        """Return its line of the report as a table."""
        own = {"key": self.key, "kept": self.kept, "reason": self.reason, "detail": self.detail}
        values = own | self.labels() | self.facts
        return {name: "" if values.get(name) is None else values[name] for name in REPORT_COLUMNS}


def summarise(reports: Sequence[ClipReport]) -> dict[str, JsonValue]:
    """Return a JSON-able summary: how many clips were kept and dropped, why, seconds kept, and the pooled offset."""
    kept = [report for report in reports if report.kept]
    reasons = Counter(report.reason for report in reports if report.reason is not None)
    offsets = [_offset(report) for report in kept if "offset_curve" in report.facts]
    pooled = pooled_offset(offsets)
    return {
        "clips": len(reports),
        "kept": len(kept),
        "dropped": dict(sorted(reasons.items())),
        "seconds": round(sum(_number(report, "seconds") for report in kept), 2),
        "offset": None
        if pooled is None
        else {
            "pooled_s": round(pooled[0], 3),
            "correlation": round(pooled[1], 3),
            "clear_clips": sum(offset.clear for offset in offsets),
        },
    }


def _offset(report: ClipReport) -> Offset:
    curve = report.facts["offset_curve"]
    assert isinstance(curve, list)
    numbers = tuple(float(one) for one in curve if isinstance(one, int | float))
    clear = report.facts["offset_clear"] is True
    return Offset(_number(report, "offset_s"), _number(report, "offset_correlation"), clear, numbers)


def _number(report: ClipReport, name: str) -> float:
    value = report.facts.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
