"""The figures of one distillation beside its teacher's."""

from __future__ import annotations

from typing import Any

from chorale.core import files
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.results import DISTIL_STAGE, SUMMARY_FILE, TEACHER_STAGE
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def summarise(context: Context, config: DatafreeConfig) -> Outcome:
    """Write the final table's figures."""
    teacher: Any = context.result(TEACHER_STAGE)
    student: Any = context.result(DISTIL_STAGE)
    summary: dict[str, Any] = {
        "mode": config.mode,
        "teacher": teacher,
        "student": student,
        "verdict": (
            f"The student labels {100 * student['final']:.2f} % of the test images rightly, its teacher "
            f"{100 * teacher['accuracy']:.2f} %; the teacher was asked about {student['queries']:,} "
            f"{'training' if config.method.kind == 'real' else 'made-up'} images."
        ),
    }
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)
