"""Client commands: scripts that run Slurm's own sbatch, srun, squeue ... inside the cluster."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from chorale.launch.testbed import hosts
from chorale.launch.testbed.layout import CONTROLLER, Testbed

_COMMANDS = (
    *("sbatch", "srun", "salloc", "squeue", "scancel", "scontrol", "sinfo", "sacct"),
    *("sattach", "sbcast", "sstat", "sprio", "sdiag", "sshare", "strigger"),
)
_SYSTEM_FOLDERS = "/usr/bin:/bin:/usr/local/bin"
# Jobs run on nodes and call these too (a generation submits the next): there the command is run as it is.
_SCRIPT = """#!/bin/sh
# Slurm's own {name}, run inside the testbed at {directory}.
{exports}
if [ -e {marker} ]; then exec {program} "$@"; fi
pid=$(cut -d ' ' -f 1 {record} 2>/dev/null)
if [ -z "$pid" ] || [ ! -e "/proc/$pid/root{marker}" ]; then
    echo "{name}: the testbed at {directory} is not up; start it with: chorale testbed up" >&2
    exit 1
fi
exec nsenter --target="$pid" --net --uts --mount --wdns="$PWD" -- {program} "$@"
"""


def write(testbed: Testbed) -> None:
    """Write one script for each of Slurm's client commands that this machine has into ``testbed.bin``."""
    testbed.bin.mkdir(exist_ok=True)
    variables = {name: value for name, value in testbed.environment().items() if name != "PATH"}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    # On PATH for the jobs as well: sbatch hands its environment on to them.
    exports.append(f'case ":$PATH:" in *:{testbed.bin}:*) ;; *) export PATH="{testbed.bin}:$PATH" ;; esac')
    for name in _COMMANDS:
        program = shutil.which(name, path=_SYSTEM_FOLDERS)
        if program is None:
            continue
        text = _SCRIPT.format(
            name=name,
            directory=testbed.directory,
            exports="\n".join(exports),
            marker=testbed.inside_marker,
            program=program,
            record=testbed.run / f"host-{CONTROLLER}.pid",
        )
        script = testbed.bin / name
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)


def ask(testbed: Testbed, *command: str) -> str:
    """Run one of Slurm's client commands and return what it prints; an empty text if it fails."""
    script = [str(testbed.bin / command[0]), *command[1:]]
    if not Path(script[0]).exists():
        return ""
    done = subprocess.run(script, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def exec_in(testbed: Testbed, command: list[str], host: str = CONTROLLER) -> int:
    """Run ``command`` on a host in the current directory, with this process's standard streams.

    Args:
        testbed: The cluster.
        command: Program and arguments; Slurm's commands are on its ``PATH``.
        host: ``ctl`` or a node, ``n1``.

    Returns:
        Its exit status; 128 + the signal that ended it.

    Raises:
        InputError: No such host, or no testbed is up.
    """
    whole = [*hosts.enter(testbed, host), *command]
    status = subprocess.run(whole, env={**os.environ, **testbed.environment()}, check=False).returncode
    return 128 - status if status < 0 else status
