"""``chorale bench federation``, as the experiment brings it along. No heavy imports: the command line loads this."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.runs.contract import Bench, Traffic

if TYPE_CHECKING:
    from chorale.experiments.fedtts.bench.programs import Framework

_CLIENTS = 8
_NAMES = ("flower", "appfl")
_MIB = 1 << 20
_GOALS = "goals: at least 5 times faster than Flower, at least 0.7 of MPI's own bandwidth"


def federation_bench() -> Bench:
    """Return the bench."""
    return Bench(
        name="federation",
        help="rounds of a federation without training, beside Flower, APPFL and bare MPI",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            "chorale bench federation",
            "chorale bench federation --with-flower --repeats 5 --json",
            "chorale bench federation --flower-python /opt/flower/bin/python",
        ),
        traffic=_traffic,
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    ranks = min(_CLIENTS, max(2, os.cpu_count() or 2))
    cache = Path(os.environ.get("CHORALE_CACHE", "cache"))
    parser.add_argument("--ranks", type=int, default=ranks, help="processes (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=_CLIENTS, help="in the federation (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="that count, in each repeat (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of everything (default: %(default)s)")
    for name in _NAMES:
        parser.add_argument(f"--with-{name}", action="store_true", help=f"install {name} into the cache, if it is not")
        parser.add_argument(f"--{name}-python", type=Path, metavar="PATH", help=f"a Python that has {name}")
    parser.add_argument("--alone", action="store_true", help="without other frameworks")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="for these (default: %(default)s)")


def _run(options: argparse.Namespace) -> JsonValue:
    from chorale.experiments.fedtts.bench.measure import measure
    from chorale.experiments.fedtts.bench.work import Work, model_shapes

    if not 2 <= options.ranks <= options.clients:
        raise InputError(f"--ranks {options.ranks}: not a number of ranks", f"choose 2 to {options.clients}")
    pythons, missing = _pythons(options)
    work = Work(model_shapes(), options.clients, options.ranks, options.rounds, passes=options.rounds)
    measured: dict[str, JsonValue] = measure(work, options.repeats, pythons)
    return {**measured, "not_measured": missing}


def _pythons(options: argparse.Namespace) -> tuple[dict[Framework, Path], dict[str, JsonValue]]:
    """Return the frameworks that can be measured, and of each other one how it could be."""
    from chorale.experiments.fedtts.bench.programs import FRAMEWORKS, install

    found: dict[Framework, Path] = {}
    missing: dict[str, JsonValue] = {}
    cache = options.cache.absolute()
    for framework in () if options.alone else FRAMEWORKS:
        given = getattr(options, f"{framework.name}_python")
        if given is not None and not given.exists():
            raise InputError(f"--{framework.name}-python {given}: no such file", "give a Python that has it")
        if given is not None:
            found[framework] = given.absolute()
        elif getattr(options, f"with_{framework.name}") or framework.python(cache).exists():
            found[framework] = install(framework, cache)
        else:
            remedy = f"--with-{framework.name} installs {framework.packages[-1]} into {framework.environment(cache)}"
            missing[framework.name] = f"{framework.title}: not measured; {remedy}"
    return found, missing


def _traffic(directory: Path, ranks: int, rounds: int, share: float) -> Traffic:
    from chorale.experiments.fedtts.bench.messages import traffic

    return traffic(directory, ranks, rounds, share, clients=max(_CLIENTS, ranks))


def _render(measured: Any) -> str:
    millions = measured["parameters"] / 1e6
    lines = [
        f"{millions:.1f} M parameters, {measured['clients']} clients, {measured['ranks']} ranks, "
        f"{measured['repeats']} repeats of {measured['rounds']} rounds without training; "
        f"load average {measured['load_before']} before, {measured['load_after']} after",
        f"{'seconds per round':34} {'median':>9} {'min':>9} {'max':>9}   chorale faster by, median (min to max)",
    ]
    lines += [_line(f"chorale, updates {name}", row["round_s"]) for name, row in measured["chorale"].items()]
    for framework, other in measured["others"].items():
        faster = measured["chorale"]["aggregated"]["times_faster_than"][framework]
        times = f"   {faster['median']:.1f} ({faster['min']:.1f} to {faster['max']:.1f})"
        lines.append(_line(f"{other['title']} {other['version']}", other["round_s"]) + times)
    lines += ["", f"{'of a round, seconds at the server':34} {'median':>9} {'min':>9} {'max':>9}"]
    for name, row in measured["chorale"].items():
        lines += [_line(f"{name}: {part}", row[f"{part}_s"]) for part in ("codec", "mpi", "waiting")]
        size = row["message_bytes"] / _MIB
        lines.append(_line(f"MPI alone, the same {size:.0f} MiB", row["exchange_s"]))
        lines.append(_line("share of MPI's bandwidth reached", row["share_of_mpi"]))
    return "\n".join([*lines, "", *measured["not_measured"].values(), _GOALS])


def _line(name: str, stats: dict[str, float]) -> str:
    return f"{name:34} {stats['median']:9.3f} {stats['min']:9.3f} {stats['max']:9.3f}"
