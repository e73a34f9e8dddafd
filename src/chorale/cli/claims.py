"""``chorale claims``: what a paper claims, tested by a comparison of one's own; resumed like any run."""

from __future__ import annotations

import sys
from pathlib import Path

from chorale.cli.carry import begin_run, carry_out_here
from chorale.cli.options import Parser, add_json, load_config, open_run, parse_with_overrides, print_json
from chorale.core import files
from chorale.core.errors import InputError, WorkError
from chorale.launch.plan import overall, read_plan
from chorale.runs.contract import Claims
from chorale.runs.directory import Run
from chorale.runs.items import State
from chorale.runs.registry import find_experiment


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "claims",
        "Carry out the comparison that tests the claims of an experiment's paper, and print each claim with effect, "
        "interval and verdict. Interrupted, the same command goes on; finished, it prints at once.",
        [
            "chorale claims fedtts",
            "chorale claims fedtts --write BENCHMARKS.md",
            "chorale claims fedtts --cluster testbed --json",
            "chorale claims fedtts --federation.rounds 60      # any key of the configuration",
        ],
    )
    parser.add_argument("experiment", metavar="EXPERIMENT", help="whose claims, such as fedtts")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="of the comparison (default: the experiment's own, below configs/)"
    )
    parser.add_argument("--cluster", metavar="NAME", help="on this Slurm cluster, and wait for the end")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result into this file's section of claims")
    add_json(parser)
    options, overrides = parse_with_overrides(parser, words)
    claims = _claims_of(options.experiment)
    path = options.config or Path("configs") / options.experiment / claims.config
    if not path.is_file():
        raise InputError(f"{path}: no such file", "start in the program's source tree, or name it with --config")
    _, config = load_config(path, overrides)
    if config.experiment != options.experiment or not claims.fits(config):
        raise InputError(f"{path}: is no comparison for {options.experiment}", "leave --config out to have its own")
    if options.write is not None:
        # Hours before the result is there, what could not be written is to be known.
        with_section(_read(options.write), options.experiment, "")
    run = open_run(path, overrides)
    _carry_out(run, options.cluster)
    result = read_plan(run)[run.experiment.final_stage].records[0].result
    text = claims.render(result)
    if options.write is not None:
        files.write_text(options.write, with_section(_read(options.write), options.experiment, text))
        print(f"{run.name}: written into {options.write}", file=sys.stderr)
    if options.json:
        print_json(result)
    else:
        print(text)
    return 0


def with_section(text: str, name: str, body: str) -> str:
    """Return a Markdown file with the section of one experiment's claims replaced, or appended if it has none.

    Args:
        text: The file as it is.
        name: Of the experiment.
        body: Of the section, without the two comments that mark it.

    Raises:
        InputError: The marks are damaged: one without the other, twice, or in the wrong order.
    """
    begin, end = f"<!-- claims: {name} -->", f"<!-- end of claims: {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    counts = (text.count(begin), text.count(end))
    if counts == (0, 0):
        return f"{text.rstrip()}\n\n{section}\n" if text.strip() else f"{section}\n"
    if counts != (1, 1) or text.index(end) < text.index(begin):
        raise InputError(f"the marks {begin} and {end} do not stand once and in this order", "mend or delete them")
    return text[: text.index(begin)] + section + text[text.index(end) + len(end) :]


def _claims_of(name: str) -> Claims:
    claims = find_experiment(name).claims()
    if claims is None:
        raise InputError(f"{name} has no claims to test", "another experiment may; `chorale --help` lists them")
    return claims


def _carry_out(run: Run, cluster: str | None) -> None:
    where = run.config.where
    if cluster or where.executor == "slurm":
        from chorale.cli.submit import carry_out_there

        carry_out_there(run, cluster or where.cluster, wait=True)
    elif overall(begin_run(run)) is not State.DONE:
        carry_out_here(run)
    state = overall(read_plan(run))
    if state is not State.DONE:
        raise WorkError(f"{run.name}: {state}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})", "name a Markdown file") from error
