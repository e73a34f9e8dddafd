"""The daemons of the cluster: munged and slurmctld on the controller, slurmd on each node."""

from __future__ import annotations

import os

from chorale.launch.testbed import hosts, processes
from chorale.launch.testbed.layout import CONTROLLER, Testbed

_KEY_BYTES = 1024


def start_controller(testbed: Testbed) -> None:
    """Start authentication and the controller.

    Raises:
        WorkError: One of them did not start.
    """
    key = testbed.directory / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(_KEY_BYTES))
    files = {"key-file": key, "socket": testbed.munge_socket}
    files |= {"pid-file": testbed.spool / "munged.pid", "seed-file": testbed.spool / "munged.seed"}
    files |= {"log-file": testbed.logs / "munged.log"}
    # --force: munged otherwise refuses to work for root below a folder that all may write, as /var/tmp is.
    options = ["--foreground", "--force", *(f"--{name}={path}" for name, path in files.items())]
    _start(testbed, CONTROLLER, "munged", ["/usr/sbin/munged", *options])
    processes.wait_until(testbed.munge_socket.exists, "munged did not start", testbed, "munged")
    _start(testbed, CONTROLLER, "slurmctld", ["/usr/sbin/slurmctld", "-D", "-f", str(testbed.slurm_conf)])


def start_node(testbed: Testbed, node: str) -> None:
    """Start the slurmd of ``node``; it is not waited for.

    Raises:
        WorkError: It did not start.
    """
    _start(testbed, node, f"slurmd-{node}", ["/usr/sbin/slurmd", "-D", "-N", node, "-f", str(testbed.slurm_conf)])


def missing(testbed: Testbed, nodes: list[str]) -> list[str]:
    """Return the names of the daemons that should run and do not."""
    names = ["munged", "slurmctld", *(f"slurmd-{node}" for node in nodes)]
    return [name for name in names if processes.pid_of(testbed, name) is None]


def _start(testbed: Testbed, host: str, name: str, command: list[str]) -> None:
    processes.start(testbed, name, [*hosts.enter(testbed, host, testbed.directory), *command])
