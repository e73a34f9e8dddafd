"""The verb that tells what a run has sent: ``chorale fedtts ledger RUN``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from chorale.runs.contract import Command

if TYPE_CHECKING:
    from chorale.experiments.fedtts.federation.ledger import Key, Ledger

_COLUMNS: tuple[Key, ...] = ("direction", "kind", "group", "client")
_CLIENTS_SHOWN = 20
_MIB = 1 << 20


def summary(ledger: Ledger) -> dict[str, JsonValue]:
    """Return a ledger's sums as JSON values.

    ``total``, ``direction``, ``kind``, ``group`` and ``client`` are of logical rows, with three figures each; rounds
    are lists of serialised bytes. ``physical`` is what was handed to MPI.
    """
    physical: list[JsonValue] = [
        {"rank": rank, "direction": direction, "serialised_bytes": totals.serialised_bytes}
        for (rank, direction), totals in ledger.totals("rank", "direction", physical=True).items()
    ]
    told: dict[str, JsonValue] = {
        "messages": len(ledger),
        "rounds": ledger.rounds,
        "total": dict(ledger.total()._asdict()),
    }
    for column in _COLUMNS:
        told[column] = {str(value): dict(sums._asdict()) for (value,), sums in ledger.totals(column).items()}
    told["kind_by_direction"] = {
        f"{direction}/{kind}": dict(sums._asdict())
        for (direction, kind), sums in ledger.totals("direction", "kind").items()
    }
    told["bytes_per_round"] = {kind: row.tolist() for kind, row in ledger.bytes_per_round("kind").items()}
    told["cumulative_bytes"] = ledger.cumulative().tolist()
    told["physical"] = {"serialised_bytes": ledger.total(physical=True).serialised_bytes, "ranks": physical}
    return told


def ledger_command() -> Command:
    """Return the verb ``chorale fedtts ledger``."""
    return Command(
        name="ledger",
        help="what a federation has sent: bytes by direction, kind, tensor group and client",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            "chorale fedtts ledger federated-tiny",
            "chorale fedtts ledger runs/fedtts/federated-tiny-0123456789ab --json",
            "chorale fedtts ledger federated-tiny --csv ledger.csv",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's directory, or a part of its name or identity")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all rows to FILE besides")
    parser.add_argument("--parquet", type=Path, metavar="FILE", help="likewise, as Parquet")


def _run(arguments: argparse.Namespace) -> JsonValue:
    from chorale.experiments.fedtts.federation import ledger_files
    from chorale.runs.directory import find_run

    run = find_run(arguments.run, Path(os.environ.get("CHORALE_RUNS", "runs")))
    path = ledger_files.find(run)
    ledger = ledger_files.load(path)
    if arguments.csv is not None:
        ledger_files.write_csv(ledger, arguments.csv)
    if arguments.parquet is not None:
        ledger_files.write_parquet(ledger, arguments.parquet)
    return {"run": run.name, "file": str(path), **summary(ledger)}


def _render(value: Any) -> str:
    lines = [f"{value['run']}: {value['rounds']} rounds, {value['messages']} messages"]
    lines.append(f"{'MiB':28} {'dense':>12} {'payload':>12} {'serialised':>12}")
    lines.append(_line("total", value["total"]))
    for column in _COLUMNS:
        rows = list(value[column].items())
        lines += ["", column, *(_line(f"  {name}", sums) for name, sums in rows[:_CLIENTS_SHOWN])]
        if len(rows) > _CLIENTS_SHOWN:
            lines.append(f"  and {len(rows) - _CLIENTS_SHOWN} more, with --json")
    physical = value["physical"]
    lines += ["", f"handed to MPI: {physical['serialised_bytes'] / _MIB:.3f} MiB"]
    lines += [
        f"  rank {row['rank']} {row['direction']:4} {row['serialised_bytes'] / _MIB:12.3f} MiB"
        for row in physical["ranks"]
    ]
    return "\n".join(lines)


def _line(name: str, sums: dict[str, int]) -> str:
    figures = (sums["dense_bytes"], sums["payload_bytes"], sums["serialised_bytes"])
    return f"{name:28} " + " ".join(f"{figure / _MIB:12.3f}" for figure in figures)
