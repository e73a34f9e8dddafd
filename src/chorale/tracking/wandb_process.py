"""The process that talks to W&B: one JSON request a line on its input, one JSON answer a line on its output.

It is a process of its own because W&B may hang in places that no exception and no signal handler reaches; whoever
started it can end it. Run as ``python -m chorale.tracking.wandb_process``.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

_INIT_TIMEOUT_S = 15.0


def main() -> None:
    """Answer requests until the input ends."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    # W&B and the service it starts inherit what is left: no input to ask on, and no way to speak between the answers.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for line in requests:
        request = json.loads(line)
        problem: str | None = None
        try:
            _export(request["export"], Path(request["directory"]), request["mode"], request["project"])
        except ImportError as error:
            missing = error.name or "wandb"
            problem = f"{missing} is not installed; pip install wandb, or set where.tracking to disabled"
        except Exception as error:
            first_line = (str(error).strip() or "no message").splitlines()[0]
            problem = f"{type(error).__name__}: {first_line}"
        answers.write(json.dumps({"error": problem}) + "\n")
        answers.flush()


def _export(export: dict[str, Any], directory: Path, mode: Literal["offline", "online"], project: str) -> None:
    import wandb

    # W&B files live in <directory>/wandb; those of an earlier export would be uploaded on top of the new ones.
    for earlier in (directory / "wandb").glob(f"*run-*-{export['id']}"):
        shutil.rmtree(earlier)
    directory.mkdir(parents=True, exist_ok=True)
    tracked = wandb.init(
        project=project,
        id=export["id"],
        name=export["name"],
        group=export["group"],
        job_type=export["job_type"],
        tags=export["tags"],
        config=export["config"],
        dir=directory,
        mode=mode,
        settings=wandb.Settings(
            silent=True,
            console="off",
            reinit="finish_previous",
            init_timeout=_INIT_TIMEOUT_S,
            # Many processes export into one directory: no links that they would fight over.
            symlink=False,
            # The figures are of a process that has ended, so this process's machine and code mean nothing.
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )
    for step, time_s, metrics in export["history"]:
        tracked.log({**metrics, "_timestamp": time_s}, step=step)
    tracked.summary.update(export["summary"])
    tracked.finish(exit_code=int(export["failed"]))


if __name__ == "__main__":
    main()
