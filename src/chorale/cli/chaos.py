"""``chorale chaos``: does a run end with the same numbers whatever happens to it?"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chorale.cli.options import Parser, add_config, add_json, load_config, parse_with_overrides, print_json
from chorale.core.errors import WorkError
from chorale.runs.directory import Run, directory_of

if TYPE_CHECKING:
    from chorale.launch.chaos.verdict import ItemAttempts

_SHOWN = 10
_POLL_S = 0.1
_LOG_WIDTH = 140


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "chaos",
        "Carry a run out on the testbed twice: undisturbed, and while ranks, jobs, nodes and the launcher are killed, "
        "links cut and the disk filled at random. Exit status 0 only if every result and every metric are equal, bit "
        "for bit, no attempt began anew, and no more was done twice than kills can cost. For developers.",
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
    from chorale.launch.chaos.verdict import attempts_of
    from chorale.launch.testbed import Testbed

    calm, calm_words = _place(options.config, overrides, root / "undisturbed")
    if subprocess.run([sys.executable, "-m", "chorale", *calm_words], check=False, stdout=sys.stderr).returncode:
        raise WorkError("the undisturbed run failed, so there is nothing to compare with")
    whole = account(calm)
    testbed = Testbed.at()
    # On a disk that can be filled without harm to anything else.
    name = f"chaos-{options.chaos_seed}"
    shutil.rmtree(testbed.disk / name, ignore_errors=True)
    wild, wild_words = _place(options.config, overrides, testbed.disk / name)
    log = root / f"launcher-{options.chaos_seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(wild_words, log)
    try:
        while not (wild.directory / "stages" / "prepare" / "stage.json").exists():
            if launcher.ended:
                raise WorkError("the launcher ended before it began", f"see {log}")
            time.sleep(_POLL_S)
        kills = disturb(wild, launcher, testbed, whole, options.kills, options.chaos_seed, options.kind)
    finally:
        with contextlib.suppress(ProcessLookupError):
            launcher.kill()
        kept = root / f"seed-{options.chaos_seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(testbed.disk / name, kept, ignore=shutil.ignore_patterns("code", "checkpoints"))
    different = differences(whole, account(wild))
    items = attempts_of(wild, calm, kills)
    faults = [fault for item in items for fault in item.faults()]
    told: dict[str, Any] = {
        "equal": not different,
        "metrics": len(whole.metrics),
        "results": len(whole.results),
        "digest": {"undisturbed": whole.digest(), "disturbed": account(wild).digest()},
        "kills": kills_json(kills),
        "kinds": dict(Counter(kill.kind for kill in kills)),
        "attempts": [{**asdict(item), "executed": item.executed, "allowed": item.allowed} for item in items],
        "faults": faults,
        "differences": different[:_SHOWN],
    }
    shutil.rmtree(testbed.disk / name, ignore_errors=True)
    if options.json:
        print_json(told)
    else:
        _print(told, items)
    if len(kills) < options.kills:
        raise WorkError(f"only {len(kills)} of {options.kills} kills hit a live process", "use a longer run")
    if different:
        raise WorkError(f"{len(different)} metrics and results differ, first: {different[0]}")
    if faults:
        raise WorkError(faults[0])
    return 0


def _place(config: Path, overrides: list[str], root: Path) -> tuple[Run, list[str]]:
    """Return the run as it will be below ``root``, and the words that carry it out there."""
    patience = ["--where.retries", "1000", "--where.exclude_after", "1000"]
    placed = [*overrides, "--where.runs", str(root), *patience, "--where.tracking", "disabled"]
    _, values = load_config(config, placed)
    return Run(directory_of(values, config.stem)), ["submit", str(config), "--cluster", "testbed", "--wait", *placed]


def _print(told: dict[str, Any], items: Sequence[ItemAttempts]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Tables of logs are as wide as they need to be.
    console = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH, soft_wrap=True)
    table = Table("stage", "item", "attempt", "host", "first step", "last step", "ended", "kinds of kill")
    for item in items:
        for row, kinds in zip(item.attempts, item.kills, strict=True):
            steps = ("" if step is None else str(step) for step in (row.first_step, row.last_step))
            table.add_row(
                item.stage, str(item.item), str(row.attempt), row.host, *steps, row.ended, ", ".join(kinds) or "-"
            )
    console.print(table)
    for item in items:
        if item.steps is not None:
            bound = f"{item.steps} + kills x {item.interval} = {item.allowed}"
            console.print(f"{item.stage} item {item.item}: {item.executed} steps executed, at most {bound} allowed")
    kinds = ", ".join(f"{count} {kind}" for kind, count in told["kinds"].items())
    console.print(f"{len(told['kills'])} kills that hit a live process: {kinds or 'none'}")
    same = "equal, bit for bit" if told["equal"] else "NOT EQUAL"
    console.print(f"{told['metrics']} metrics and {told['results']} results: {same}")
    for side, digest in told["digest"].items():
        console.print(f"  {side:<12} {digest}")
    for line in (*told["faults"], *told["differences"]):
        console.print(line)
