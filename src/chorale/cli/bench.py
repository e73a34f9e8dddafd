"""``chorale bench``: measure this machine or a cluster against references, as ratios within one run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chorale.cli.options import Parser, add_json, print_json
from chorale.core.errors import InputError
from chorale.runs.contract import Bench
from chorale.runs.registry import experiment_names, find_experiment


def main(words: list[str]) -> int:
    """Run the verb."""
    brought = _brought()
    parser = Parser(
        "bench",
        "Measure against references in one run; what counts are the ratios, for a machine's speed changes by the hour.",
        [
            "chorale bench store",
            "chorale bench store --samples 2000 --repeats 3 --json",
            "chorale bench array --cluster testbed --slots 16",
            "chorale bench array --cluster testbed --tasks 32 --seconds 2 --small-items 64 --small-seconds 0.5",
            "chorale bench links --cluster testbed --rates 10 100",
            *(line for bench in brought.values() for line in bench.examples),
        ],
    )
    # The arguments of the benches may stand without a word of their own for long; each bench lists its own.
    benches = parser.add_subparsers(dest="what", required=True, metavar="WHAT", parser_class=argparse.ArgumentParser)
    _add_store(benches.add_parser("store", help="shuffled reading from the feature store against np.memmap"))
    _add_array(benches.add_parser("array", help="an array of sleeping items against its work and bare submitit"))
    traffics = {name: bench for name, bench in brought.items() if bench.traffic is not None}
    _add_links(
        benches.add_parser("links", help="known bytes against interfaces' counters, and times on slow links"), traffics
    )
    for name, bench in brought.items():
        own = benches.add_parser(name, help=bench.help)
        bench.add_arguments(own)
        add_json(own)
    options = parser.parse_args(words)
    ways: dict[str, tuple[Callable[[argparse.Namespace], Any], Callable[[Any], None]]] = {
        "store": (_store, _print_store),
        "array": (_array, _print_array),
        "links": (lambda chosen: _links(chosen, traffics), _print_links),
        **{name: (bench.run, partial(_print_rendered, bench)) for name, bench in brought.items()},
    }
    measure, show = ways[options.what]
    measured = measure(options)
    if options.json:
        print_json(measured)
    else:
        show(measured)
    return 0


def _print_rendered(bench: Bench, measured: Any) -> None:
    print(bench.render(measured))


def _brought() -> dict[str, Bench]:
    """Return the benches that experiments bring along, by name."""
    return {bench.name: bench for name in experiment_names() for bench in find_experiment(name).benches()}


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples", type=int, default=10_000, help="samples of 300 x 80 float32 (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="DataLoader workers (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="samples a batch (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="counted passes (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where the copies lie meanwhile (default: the temporary folder)")
    add_json(parser)


def _add_array(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster", default="testbed", metavar="NAME", help="a profile (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=16, help="tasks that run at once (default: %(default)s)")
    parser.add_argument("--tasks", type=int, default=200, help="items of one task each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each sleeps (default: %(default)s)")
    parser.add_argument(
        "--small-items", type=int, default=2000, help="items packed into one task per slot (default: %(default)s)"
    )
    parser.add_argument(
        "--small-seconds", type=float, default=1.0, help="how long each of these sleeps (default: %(default)s)"
    )
    parser.add_argument("--alone", action="store_true", help="without bare submitit beside it")
    add_json(parser)


def _add_links(parser: argparse.ArgumentParser, traffics: Mapping[str, Bench]) -> None:
    parser.add_argument(
        "--cluster", default="testbed", metavar="NAME", help="the testbed's profile (default: %(default)s)"
    )
    parser.add_argument("--by", choices=sorted(traffics), default=next(iter(traffics), None), help="a bench that sends")
    parser.add_argument("--hosts", type=int, default=4, help="one rank on each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="against the counters (default: %(default)s)")
    parser.add_argument(
        "--rates",
        type=float,
        nargs="*",
        default=[10.0, 100.0, 1000.0],
        metavar="MBIT",
        help="limits (default: 10 100 1000)",
    )
    parser.add_argument(
        "--round-seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="of a limited round, at most (default: %(default)s)",
    )
    add_json(parser)


def _store(options: argparse.Namespace) -> dict[str, Any]:
    from chorale.data.store.bench import bench_store

    return bench_store(
        samples=options.samples,
        workers=options.workers,
        batch=options.batch,
        repeats=options.repeats,
        directory=options.directory,
    )


def _array(options: argparse.Namespace) -> dict[str, Any]:
    from chorale.launch.bench_array import bench_array

    for name in ("slots", "tasks", "small_items"):
        if (given := getattr(options, name)) < 1:
            raise InputError(f"--{name.replace('_', '-')} {given}: too few", "give 1 or more")
    return bench_array(
        cluster=options.cluster,
        slots=options.slots,
        tasks=options.tasks,
        seconds=options.seconds,
        small_items=options.small_items,
        small_seconds=options.small_seconds,
        bare=not options.alone,
    )


def _links(options: argparse.Namespace, traffics: Mapping[str, Bench]) -> dict[str, Any]:
    from chorale.launch.bench_links import bench_links

    make = traffics[options.by].traffic if options.by else None
    if make is None:
        raise InputError(
            "no experiment is installed whose bytes are known before", "install one that brings such a bench"
        )
    return bench_links(
        make,
        cluster=options.cluster,
        hosts=options.hosts,
        rounds=options.rounds,
        rates_mbit=options.rates,
        round_s=options.round_seconds,
    )


def _print_store(measured: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    frames, dim = measured["shape"]
    title = f"{measured['samples']} samples of {frames} x {dim} float32, shuffled, warm cache"
    table = Table("read by", "source", "samples/s, median", "of memmap, median", "min to max", title=title)
    names = {"loader": f"DataLoader, {measured['workers']} workers, batch {measured['batch']}", "alone": "one process"}
    for kind, name in names.items():
        for source, rate in measured["samples_per_s"][kind].items():
            ratio = measured["ratio_to_memmap"][kind].get(source)
            spread = f"{ratio['min']:.2f} to {ratio['max']:.2f}" if ratio else ""
            table.add_row(name, source, f"{rate['median']:,.0f}", f"{ratio['median']:.2f}" if ratio else "1", spread)
    Console().print(table)


def _print_array(measured: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    load = f"load average {measured['load_before']} before, {measured['load_after']} after"
    table = Table("items", "by", "items per task", "wall, s", "work / slots, s", "ratio", title=load)
    for kind in ("tasks", "packed"):
        for by, row in measured[kind].items():
            cells = (row["items"], by, row["per_task"], row["wall_s"], row["ideal_s"], row["ratio"])
            table.add_row(*(str(cell) for cell in cells))
    Console().print(table)


def _print_links(measured: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{measured['rounds']} rounds over {measured['hosts']} hosts, MB; counters less an idle interval's"
    table = Table(
        "host", "direction", "ledger", "counter", "headers", "idle", "(counter - headers) / ledger", title=title
    )
    for row in measured["counters"]:
        sizes = (row[f"{name}_bytes"] / 1e6 for name in ("ledger", "counter", "header", "idle"))
        table.add_row(
            row["host"], row["direction"], *(f"{size:.3f}" for size in sizes), f"{row['payload_to_ledger']:.4f}"
        )
    limits = Table("Mbit/s", "MB per round", "predicted, s", "measured, s", "ratio", title="a round on limited links")
    for row in measured["links"]:
        cells = (
            f"{row['mbit']:g}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['predicted_s']:.2f}",
            f"{row['measured_s']:.2f}",
        )
        limits.add_row(*cells, f"{row['measured_to_predicted']:.3f}")
    Console().print(table)
    if measured["links"]:
        Console().print(limits)
