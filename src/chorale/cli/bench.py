"""``chorale bench``: measure this machine against references, as ratios within one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chorale.cli.options import Parser, add_json, print_json


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "bench",
        "Measure against references in one run; what counts are the ratios, for a machine's speed changes by the hour.",
        ["chorale bench store", "chorale bench store --samples 2000 --repeats 3 --json"],
    )
    parser.add_argument(
        "what", choices=["store"], help="store: shuffled reading from the feature store against np.memmap"
    )
    parser.add_argument(
        "--samples", type=int, default=10_000, help="samples of 300 x 80 float32 (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="DataLoader workers (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="samples a batch (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="counted passes (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where the copies lie meanwhile (default: the temporary folder)")
    add_json(parser)
    options = parser.parse_args(words)

    from chorale.data.store.bench import bench_store

    measured = bench_store(
        samples=options.samples,
        workers=options.workers,
        batch=options.batch,
        repeats=options.repeats,
        directory=options.directory,
    )
    print_json(measured) if options.json else _print(measured)
    return 0


def _print(measured: dict[str, Any]) -> None:
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
