"""``chorale bench datafree``, as the experiment brings it along. No heavy imports: the command line loads this."""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.runs.contract import Bench

_NAMES = {"chorale": "chorale", "reference": "reference, a plain loop"}
_NOT_MEASURED = "not measured: torch sees no GPU, or --device cpu was given"
_GOAL = "goal: at least the reference's images per second"


def datafree_bench() -> Bench:
    """Return the bench."""
    return Bench(
        name="datafree",
        help="images generated and distilled per second, beside a plain loop of DFAD; on a GPU its share of the peak",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            "chorale bench datafree",
            "chorale bench datafree --rounds 20 --repeats 9 --device cpu --json",
            "chorale bench datafree --device cuda --batch 512",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="of each loop in each repeat (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="each gives a ratio (default: %(default)s)")
    parser.add_argument("--batch", type=int, help="images of each step (default: 64 on a CPU, 256 on a GPU)")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="small networks on cpu, ResNet-34 and ResNet-18 on cuda (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> JsonValue:
    for name in ("rounds", "repeats"):
        if (given := getattr(options, name)) < 1:
            raise InputError(f"--{name} {given}: too few", "give 1 or more")
    if options.batch is not None and (options.batch < 2 or options.batch % 2):
        raise InputError(f"--batch {options.batch}: no even number above 0", "give one such as 64")
    from dataclasses import replace

    import torch

    from chorale.experiments.datafree.bench.throughput import measure
    from chorale.experiments.datafree.bench.work import PAPER, TINY
    from chorale.ranks.device import pick_device

    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no GPU", "leave it out, or choose cpu")
    device = pick_device(options.device)
    work = PAPER if device.type == "cuda" else TINY
    measured: dict[str, JsonValue] = measure(
        replace(work, batch=options.batch or work.batch), device, options.rounds, options.repeats
    )
    return measured


def _render(measured: Any) -> str:
    channels, height, width = measured["shape"]
    ratio = measured["ratio"]
    lines = [
        f"{measured['teacher']} teaches {measured['student']}, images {channels} x {height} x {width}, "
        f"batch {measured['batch']}; {measured['repeats']} repeats of {measured['rounds']} rounds, in turns",
        f"{measured['device']}, {measured['clock']}, fp32, torch {measured['torch']}; "
        f"load average {measured['load_before']} before, {measured['load_after']} after",
        "",
        _head("images per second"),
        *(_line(title, measured["images_per_s"][name]) for name, title in _NAMES.items()),
        _line("ratio within a repeat", ratio, digits=3),
        "",
        *_card_lines(measured["card"]),
        "",
        _GOAL,
    ]
    return "\n".join(lines)


def _card_lines(card: Any) -> list[str]:
    titles = {precision: f"{precision}, channels last" for precision in ("fp32", "bf16")}
    if card is None:
        return [f"on a GPU, {title}: {_NOT_MEASURED}" for title in titles.values()]
    peak = card["product_flop_per_s"] / 1e12
    found = {titles[name]: row for name, row in card["precisions"].items()}
    return [
        _head("chorale on the GPU, images per second"),
        *(_line(title, row["images_per_s"]) for title, row in found.items()),
        "",
        _head(f"share of {peak:.0f} TFLOP/s, its bf16 product"),
        *(_line(title, row["share"], digits=3) for title, row in found.items()),
    ]


def _head(title: str) -> str:
    return f"{title:40} {'median':>10} {'min':>10} {'max':>10}"


def _line(title: str, stats: dict[str, float], digits: int = 1) -> str:
    return f"{title:40} {stats['median']:10.{digits}f} {stats['min']:10.{digits}f} {stats['max']:10.{digits}f}"
