"""What verbs share: parsers with examples, configuration from a file and overrides, one JSON document as output."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from chorale.core.config import read_tree, validate, with_overrides
from chorale.core.errors import InputError
from chorale.runs.contract import Experiment, ExperimentConfig
from chorale.runs.directory import Run, find_run, open_or_create, place
from chorale.runs.registry import find_experiment


class Parser(argparse.ArgumentParser):
    """An ``argparse`` parser whose errors are one line and whose help ends with examples."""

    def __init__(self, verb: str, description: str, examples: Sequence[str] = ()) -> None:
        epilog = "examples:\n" + "\n".join(f"  {line}" for line in examples) if examples else None
        super().__init__(
            prog=f"chorale {verb}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what the user wrote wrongly as an input error."""
        raise InputError(f"{self.prog}: {message}", f"see `{self.prog} --help`")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: one JSON document on standard output, messages on standard error."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add ``--runs``: the root of the run directories."""
    default = Path(os.environ.get("CHORALE_RUNS", "runs"))
    parser.add_argument(
        "--runs", type=Path, default=default, metavar="DIR", help="root of the runs (default: %(default)s)"
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the configuration file; what is not an option of the verb overrides its keys."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file; `CONFIG --help` lists its keys")
    parser.epilog = (
        parser.epilog or ""
    ) + "\n\nAny key of CONFIG may follow as --key value, such as --search.population 8."


def parse_with_overrides(parser: argparse.ArgumentParser, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse a verb's own options and return the rest as overrides; ``CONFIG --help`` shows the configuration's keys."""
    if len(words) > 1 and words[-1] in ("-h", "--help") and Path(words[0]).suffix == ".yaml":
        print_keys(Path(words[0]))
    return parser.parse_known_args(words)


def print_keys(path: Path) -> NoReturn:
    """Print every key of a configuration file with its type, value and meaning, and exit."""
    import tyro

    experiment, config = load_config(path, ())
    tyro.cli(experiment.config_class, default=config, args=["--help"], prog="chorale run CONFIG")
    raise SystemExit(0)


def load_config(path: Path, overrides: Sequence[str]) -> tuple[Experiment[Any], ExperimentConfig]:
    """Return the experiment that a configuration file is for, and the validated configuration."""
    tree = with_overrides(read_tree(path), overrides)
    name = tree.values.get("experiment")
    if not isinstance(name, str):
        raise InputError(
            f"{path}: experiment: missing", "say which experiment it is for, such as experiment: autovector"
        )
    experiment = find_experiment(name)
    config: ExperimentConfig = validate(experiment.config_class, tree)
    return experiment, config


def open_run(path: Path, overrides: Sequence[str]) -> Run:
    """Return the run of a configuration file, made if it is new, with the placement just given."""
    _, config = load_config(path, overrides)
    run = open_or_create(config, path.stem)
    place(run, config.where)
    return run


def which_run(text: str, runs: Path) -> Run:
    """Return the run a user means by a directory, a name, an identity, or a configuration file."""
    if text.endswith(".yaml"):
        _, config = load_config(Path(text), ())
        text = config.identity(exclude={"where"})
    return find_run(text, runs)


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    json.dump(value, sys.stdout, indent=1, allow_nan=False, default=str)
    sys.stdout.write("\n")
