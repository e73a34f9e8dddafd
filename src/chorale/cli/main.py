"""``chorale VERB ...``: find the verb, run it, turn errors into one line and an exit status."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from chorale.core import logs
from chorale.core.errors import ChoraleError, InputError

_VERBS = {
    "run": "carry an experiment out here: worker processes, or this process alone",
    "submit": "carry an experiment out on a Slurm cluster",
    "work": "join a run as a worker (what batch templates call)",
    "plan": "draw the stages of a configuration or a run",
    "status": "how runs stand, stage by stage",
    "logs": "what a run's processes printed",
    "cancel": "stop a run, wherever it is",
    "retry": "try again what failed in a run, and only that",
    "collect": "the results of a run as a table",
    "report": "make a run's page again",
    "claims": "test the claims of an experiment's paper by a comparison of one's own",
    "corpora": "list and fetch corpora",
    "faces": "cut aligned faces out of videos, and say which are fit for training",
    "testbed": "a Slurm cluster of virtual hosts on this machine",
    "chaos": "does a run end with the same numbers whatever happens to it? (for developers)",
    "bench": "measure this machine against references",
}
_SIGNALLED = 128  # plus the signal, as a shell says it
_EPILOG = """
examples:
  chorale run configs/autovector/tiny.yaml
  chorale run configs/autovector/tiny.yaml --search.population 8 --debug
  chorale submit configs/autovector/tiny.yaml --cluster testbed --wait
  chorale status

`chorale VERB --help` tells more. Exit status: 0 done, 1 the work failed, 2 the input was wrong.
"""


class _TerminatedError(BaseException):
    """SIGTERM has come: to end as by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    logs.configure(verbose="--verbose" in words)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = _dispatch([word for word in words if word != "--verbose"])
    except ChoraleError as error:
        print(f"chorale: {error}", file=sys.stderr)
        status = error.exit_status
    except (KeyboardInterrupt, _TerminatedError) as end:
        terminated = isinstance(end, _TerminatedError)
        word = "terminated" if terminated else "interrupted"
        print(f"chorale: {word}; the same command goes on from here", file=sys.stderr)
        status = _SIGNALLED + (signal.SIGTERM if terminated else signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our output, `head` for example, has had enough.
        sys.stderr.close()
        status = 0
    raise SystemExit(status)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    # Dying at once would leave worker processes at work.
    raise _TerminatedError


def _dispatch(words: list[str]) -> int:
    from chorale.runs.registry import experiment_names

    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(experiment_names()))
        return 0
    verb, *rest = words
    if verb == "--version":
        from importlib.metadata import version

        print(version("chorale"))
        return 0
    if verb in _VERBS:
        return int(importlib.import_module(f"chorale.cli.{verb}").main(rest))
    if verb in experiment_names():
        from chorale.cli.experiment import main as experiment_main

        return experiment_main(verb, rest)
    import difflib

    near = difflib.get_close_matches(verb, [*_VERBS, *experiment_names()], n=1)
    raise InputError(f"{verb!r} is not a verb", f"did you mean {near[0]}?" if near else "`chorale --help` lists them")


def _help(experiments: Sequence[str]) -> str:
    lines = ["usage: chorale VERB [...]", "", "Batch experiments for HPC clusters, and for a laptop.", "", "verbs:"]
    lines += [f"  {name:<12} {text}" for name, text in _VERBS.items()]
    lines += [f"  {name:<12} the {name} experiment's own commands" for name in experiments]
    return "\n".join(lines) + "\n" + _EPILOG
