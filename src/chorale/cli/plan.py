"""``chorale plan``: the graph of a run's stages, before it begins or while it goes on; submits nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from chorale.cli.carry import stages_of
from chorale.cli.options import Parser, add_json, add_runs, load_config, parse_with_overrides, print_json
from chorale.core import files
from chorale.core.errors import InputError
from chorale.launch.graph import as_text, graph
from chorale.launch.graph_svg import as_svg
from chorale.launch.plan import Plan, order, read_plan
from chorale.runs.directory import Run, directory_of, find_run
from chorale.runs.items import ItemRecord


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "plan",
        "Draw the stages of an experiment or of a run: what needs what, how many items there are and how they stand. "
        "Stages that others will return are marked as declared later. Nothing is run or submitted.",
        ["chorale plan configs/autovector/tiny.yaml", "chorale plan tiny --svg plan.svg", "chorale plan tiny --json"],
    )
    parser.add_argument("what", metavar="CONFIG|RUN", help="a YAML file, a run's directory, or part of a run's name")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw it into this file")
    add_runs(parser)
    add_json(parser)
    options, overrides = parse_with_overrides(parser, words)
    name, plan = _find(options.what, options.runs, overrides)
    nodes = graph(plan)
    if options.svg is not None:
        files.write_text(options.svg, as_svg(nodes, name))
        print(f"{name}: drawn in {options.svg}", file=sys.stderr)
    if options.json:
        print_json({"run": name, "stages": [node.to_json() for node in nodes]})
    else:
        print(f"{name}\n{as_text(nodes)}")
    return 0


def _find(what: str, runs: Path, overrides: list[str]) -> tuple[str, Plan]:
    """Return a run's name and its plan; of a configuration that has no run yet, what it would begin with."""
    if not what.endswith(".yaml"):
        if overrides:
            raise InputError(f"chorale plan: {overrides[0]}: only a configuration takes overrides")
        run = find_run(what, runs)
        return run.name, read_plan(run)
    experiment, config = load_config(Path(what), overrides)
    run = Run(directory_of(config, Path(what).stem))
    if (run.directory / "stages").is_dir():
        return run.name, read_plan(run)
    planned = {stage.name: stage for stage in stages_of(experiment, config)}
    return run.name, order(planned, lambda stage: [ItemRecord(index) for index in range(len(stage.items))])
