"""``chorale chaos``: does a run end with the same numbers whatever happens to it?"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chorale.cli.options import Parser, add_config, add_json, load_config, parse_with_overrides, print_json
from chorale.core.errors import WorkError
from chorale.runs.directory import Run, directory_of

_SHOWN = 10


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "chaos",
        "Carry a run out on the testbed twice: undisturbed, and while ranks, jobs, nodes, links and the launcher are "
        "killed at random. Exit status 0 only if every result and every metric are equal, bit for bit. For developers.",
        [
            "chorale testbed up --nodes 4",
            "chorale chaos configs/autovector/xvector-tiny.yaml --kills 40 --seed 1",
        ],
    )
    parser.add_argument("--kills", type=int, default=10, help="kills that hit a live process (default: %(default)s)")
    # Not --seed alone: that is a key of every configuration.
    parser.add_argument("--seed", type=int, default=1, dest="chaos_seed", help="default: %(default)s")
    parser.add_argument("--kind", action="append", default=[], help="only this kind of kill; may be repeated")
    parser.add_argument("--root", type=Path, default=Path("runs/chaos"), help="of both runs (default: %(default)s)")
    add_json(parser)
    add_config(parser)
    options, overrides = parse_with_overrides(parser, words)
    root = options.root.absolute()

    from chorale.launch.chaos.comparing import account, differences
    from chorale.launch.chaos.disturbing import Launcher, disturb, kills_json
    from chorale.launch.testbed import Testbed

    calm, calm_words = _place(options.config, overrides, root / "undisturbed")
    if subprocess.run([sys.executable, "-m", "chorale", *calm_words], check=False, stdout=sys.stderr).returncode:
        raise WorkError("the undisturbed run failed, so there is nothing to compare with")
    whole = account(calm)
    wild, wild_words = _place(options.config, overrides, root / f"seed-{options.chaos_seed}")
    wild.logs.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(wild_words, root / f"launcher-{options.chaos_seed}.log")
    try:
        while not (wild.directory / "stages" / "prepare" / "stage.json").exists():
            if launcher.ended:
                raise WorkError("the launcher ended before it began", f"see {root}/launcher-{options.chaos_seed}.log")
        kills = disturb(wild, launcher, Testbed.at(), whole, options.kills, options.chaos_seed, options.kind)
    finally:
        with contextlib.suppress(ProcessLookupError):
            launcher.kill()
    different = differences(whole, account(wild))
    told: dict[str, Any] = {
        "equal": not different,
        "metrics": len(whole.metrics),
        "results": len(whole.results),
        "digest": {"undisturbed": whole.digest(), "disturbed": account(wild).digest()},
        "kills": kills_json(kills),
        "kinds": dict(Counter(kill.kind for kill in kills)),
        "attempts": _attempts(wild),
        "differences": different[:_SHOWN],
    }
    print_json(told) if options.json else print(json.dumps(told, indent=1))
    if len(kills) < options.kills:
        raise WorkError(f"only {len(kills)} of {options.kills} kills hit a live process", "use a longer run")
    if different:
        raise WorkError(f"{len(different)} metrics and results differ, first: {different[0]}")
    return 0


def _place(config: Path, overrides: list[str], root: Path) -> tuple[Run, list[str]]:
    """Return the run as it will be below ``root``, and the words that carry it out there."""
    placed = [*overrides, "--where.runs", str(root), "--where.retries", "1000", "--where.tracking", "disabled"]
    _, values = load_config(config, placed)
    return Run(directory_of(values, config.stem)), ["submit", str(config), "--cluster", "testbed", "--wait", *placed]


def _attempts(run: Run) -> list[dict[str, Any]]:
    """Return a row for each attempt at each item that needed more than one, or that counts steps."""
    from chorale.training.attempts import attempt_table

    rows = []
    for name, stage in run.stages().items():
        for index in range(len(stage.items)):
            attempts = attempt_table(run, name, index)
            if len(attempts) > 1 or any(row.first_step is not None for row in attempts):
                rows += [{"stage": name, "item": index, **asdict(row)} for row in attempts]
    return rows
