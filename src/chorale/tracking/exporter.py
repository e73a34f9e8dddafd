"""A child process that exports to W&B, with a limit on how long anyone waits for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from chorale.core.errors import WorkError
from chorale.tracking.description import Export

_MODULE = "chorale.tracking.wandb_process"
_GOODBYE_S = 10.0


class Exporter:
    """Starts its child at the first export and keeps it for the next: W&B takes a second to start, a tenth to go on.

    Args:
        verbose: Let W&B print to standard error.
    """

    def __init__(self, verbose: bool = False) -> None:
        self._pid = os.getpid()
        self._child = subprocess.Popen(
            # -P: a folder called wandb where the user stands must not be taken for the package.
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if verbose else subprocess.DEVNULL,
            env=_environment(),
            text=True,
            encoding="utf-8",
            # Ctrl-C is for the experiment; without a terminal of its own W&B cannot ask for a password either.
            start_new_session=True,
        )

    @property
    def usable(self) -> bool:
        """Whether the child lives and belongs to this very process, not to the one that it was forked from."""
        return self._pid == os.getpid() and self._child.poll() is None

    def export(self, export: Export, directory: Path, mode: str, project: str, limit_s: float) -> None:
        """Have ``export`` written below ``directory/wandb`` (and uploaded, if ``mode`` is ``online``).

        Raises:
            TimeoutError: It took longer than ``limit_s``; the child has been ended.
            WorkError: W&B refused, is not installed, or the child has died.
        """
        request = {"export": asdict(export), "directory": str(directory), "mode": mode, "project": project}
        answer: list[str] = []

        def exchange() -> None:
            assert self._child.stdin is not None and self._child.stdout is not None
            try:
                self._child.stdin.write(json.dumps(request) + "\n")
                self._child.stdin.flush()
                answer.append(self._child.stdout.readline())
            except (OSError, ValueError):
                answer.append("")

        # Both the write and the read can block for ever on a child that hangs; a thread can be left behind.
        thread = threading.Thread(target=exchange, name="wandb-export", daemon=True)
        thread.start()
        thread.join(limit_s)
        if thread.is_alive():
            self._child.kill()
            self._child.wait()
            raise TimeoutError(f"no answer within {limit_s:g} s")
        if not answer or not answer[0]:
            raise WorkError(f"the exporting process has died (exit status {self._child.wait()})")
        if error := json.loads(answer[0])["error"]:
            raise WorkError(error)

    def close(self) -> None:
        """Let the child end."""
        if self._pid != os.getpid():
            return
        try:
            self._child.communicate(timeout=_GOODBYE_S)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            self._child.kill()
            self._child.wait()


def _environment() -> dict[str, str]:
    # WANDB_SERVICE would join this child to some other process's W&B service.
    inherited = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    return {**inherited, "WANDB_ERROR_REPORTING": "false"}
