"""Score files: lines ``label score``, and the verb that measures anyone's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from chorale.core import files
from chorale.core.errors import InputError
from chorale.runs.contract import Command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DEFAULT_P_TARGETS = (0.01, 0.05)
_EXPECTED = "lines are `label score`: 1 for target, 0 for non-target, then a number"


def write_scores(path: Path, labels: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
    """Write ``label score`` lines atomically; nine digits give every float32 back exactly."""
    with files.atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(f"{label:d} {score:.9g}\n" for label, score in zip(labels, scores, strict=True))


def read_scores(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels and scores, ``(trials,)`` each.

    Raises:
        InputError: The file is missing, empty, or a line is not a label and a number; the line's number is told.
    """
    import warnings

    import numpy as np

    try:
        with warnings.catch_warnings():
            # An empty file only warns; it is told below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, dtype=np.float64, comments=None, ndmin=2, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'no such file'}") from error
    except ValueError as error:
        raise _first_fault(path) or InputError(f"{path}: {error}", _EXPECTED) from error
    if table.size == 0:
        raise InputError(f"{path}: holds no trial", _EXPECTED)
    if table.shape[1] != 2 or np.isnan(table).any() or not np.isin(table[:, 0], (0, 1)).all():
        raise _first_fault(path) or InputError(f"{path}: not a score file", _EXPECTED)
    return table[:, 0].astype(np.int64), table[:, 1].copy()


def measure(path: Path, p_targets: Sequence[float], c_miss: float = 1.0, c_false_alarm: float = 1.0) -> dict[str, Any]:
    """Return trial counts, EER and normalised minDCF at each prior of the scores in ``path``.

    Raises:
        InputError: The file is damaged, or a prior or cost makes no sense.
    """
    from chorale.experiments.autovector import metrics

    for p_target in p_targets:
        if not 0.0 < p_target < 1.0:
            raise InputError(f"--p-target {p_target}: a prior lies between 0 and 1")
    if not (c_miss > 0.0 and c_false_alarm > 0.0):
        raise InputError(f"--c-miss {c_miss}, --c-fa {c_false_alarm}: a cost is above 0")
    labels, scores = read_scores(path)
    try:
        rates = metrics.error_rates(metrics.sort_trials(scores, labels))
    except InputError as error:
        raise InputError(f"{path}: {error.what}", error.remedy) from error
    n_target = int(labels.sum())
    costs = [{"p_target": p, "min_dcf": metrics.min_dcf(rates, p, c_miss, c_false_alarm)} for p in p_targets]
    return {
        "file": str(path),
        "target_trials": n_target,
        "non_target_trials": len(labels) - n_target,
        "eer": metrics.equal_error_rate(rates),
        "c_miss": c_miss,
        "c_false_alarm": c_false_alarm,
        "min_dcf": costs,
    }


def score_command() -> Command:
    """Return the verb ``chorale autovector score``."""
    return Command(
        name="score",
        help="EER and minDCF of a score file: lines `label score`, label 1 target, 0 non-target",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            "chorale autovector score scores.txt",
            "chorale autovector score scores.txt --p-target 0.01 0.001 --json",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="lines `label score`; higher scores mean same speaker")
    parser.add_argument(
        "--p-target",
        type=float,
        nargs="+",
        default=list(_DEFAULT_P_TARGETS),
        metavar="P",
        help="priors of a target trial for minDCF (default: %(default)s)",
    )
    parser.add_argument("--c-miss", type=float, default=1.0, metavar="C", help="cost of a miss (default: %(default)s)")
    parser.add_argument("--c-fa", type=float, default=1.0, metavar="C", help="cost of a false alarm (%(default)s)")


def _run(arguments: argparse.Namespace) -> JsonValue:
    return measure(arguments.file, arguments.p_target, arguments.c_miss, arguments.c_fa)


def _render(value: Any) -> str:
    lines = [
        f"{value['file']}: {value['target_trials']} target and {value['non_target_trials']} non-target trials",
        f"EER                {100 * value['eer']:.3f} %",
    ]
    lines += [f"minDCF (p = {cost['p_target']:g})  {cost['min_dcf']:.4f}" for cost in value["min_dcf"]]
    return "\n".join(lines)


def _first_fault(path: Path) -> InputError | None:
    # Only a file that is known to be bad is read line by line: that is slow, and knows the line's number.
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            words = line.split()
            if not words:
                continue
            shown = line[:40].decode("utf-8", "replace").strip()
            if len(words) != 2:
                return InputError(f"{path}: line {number}: {shown!r} has {len(words)} columns, not 2", _EXPECTED)
            try:
                label, score = float(words[0]), float(words[1])
            except ValueError:
                return InputError(f"{path}: line {number}: {shown!r} is not two numbers", _EXPECTED)
            if label not in (0.0, 1.0):
                return InputError(f"{path}: line {number}: label {shown.split()[0]} is neither 1 nor 0", _EXPECTED)
            if score != score:
                return InputError(f"{path}: line {number}: the score is NaN", "mend what made the scores")
    return None
