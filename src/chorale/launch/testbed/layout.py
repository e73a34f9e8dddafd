"""Where everything of the Slurm testbed lies: files, host names, addresses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from chorale.core.errors import InputError

CONTROLLER = "ctl"
NODES_MAX = 64
CPUS_PER_NODE = 4
DEFAULT_DIRECTORY = "/var/tmp/chorale-testbed"
DIRECTORY_VARIABLE = "CHORALE_TESTBED"
# A Unix socket's path has at most 108 bytes; munge appends to it for its lock file.
_DIRECTORY_LENGTH_MAX = 80
# Open MPI refuses to run as root, and copies between "hosts" of one kernel by a call that namespaces forbid.
_MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


@dataclass(frozen=True, kw_only=True)
class Testbed:
    """A virtual Slurm cluster, named by the directory that holds all of its state.

    Clusters of different directories share nothing and can stand side by side.

    Args:
        directory: Absolute path on a local disk. Configuration, logs, sockets and the client commands lie in it.
    """

    # Its name begins like a test class; pytest must not collect it.
    __test__ = False

    directory: Path

    @classmethod
    def at(cls, directory: Path | str | None = None) -> Testbed:
        """Return the testbed at ``directory``, or at ``$CHORALE_TESTBED``, or at the default place.

        Raises:
            InputError: The path is too long for the sockets in it, or holds a character that scripts would trip over.
        """
        chosen = Path(directory or os.environ.get(DIRECTORY_VARIABLE) or DEFAULT_DIRECTORY).absolute()
        if len(str(chosen)) > _DIRECTORY_LENGTH_MAX:
            raise InputError(
                f"{chosen}: too long for a testbed", f"choose a path of at most {_DIRECTORY_LENGTH_MAX} letters"
            )
        if not all(letter.isalnum() or letter in "/._-" for letter in str(chosen)):
            raise InputError(f"{chosen}: not a path for a testbed", "choose one of letters, digits and . _ - only")
        return cls(directory=chosen)

    @property
    def slurm_conf(self) -> Path:
        """The cluster's configuration; clients find it by ``SLURM_CONF``."""
        return self.directory / "slurm.conf"

    @property
    def bin(self) -> Path:
        """The folder of client commands that reach the cluster from the ordinary namespaces."""
        return self.directory / "bin"

    @property
    def logs(self) -> Path:
        """The folder of the daemons' logs; kept by ``down`` until the next start."""
        return self.directory / "logs"

    @property
    def completed_jobs(self) -> Path:
        """Slurm's job completion file (jobcomp/filetxt): one line of ``Key=value`` per ended job; kept by ``down``."""
        return self.directory / "jobcomp.txt"

    @property
    def run(self) -> Path:
        """The folder of process records and sockets."""
        return self.directory / "run"

    @property
    def spool(self) -> Path:
        """The folder of Slurm's own working files."""
        return self.directory / "spool"

    @property
    def disk(self) -> Path:
        """A small disk (a tmpfs) that every host sees, and so does this machine: one that can be filled."""
        return self.directory / "disk"

    @property
    def private(self) -> Path:
        """A folder that is a different one on every host (a tmpfs), and empty outside of them."""
        return self.directory / "private"

    @property
    def inside_marker(self) -> Path:
        """A file that exists for processes inside one of the hosts only; it holds the host's name."""
        return self.private / "host"

    @property
    def munge_socket(self) -> Path:
        """The socket of the authentication daemon; a path works across network namespaces."""
        return self.run / "munge.socket"

    def network(self, host: str) -> Path:
        """Return the file that holds the network namespace of ``host``."""
        return self.directory / "networks" / host

    def environment(self) -> dict[str, str]:
        """Return the variables with which a process of the ordinary namespaces uses this cluster."""
        return {
            "PATH": f"{self.bin}:{os.environ.get('PATH', os.defpath)}",
            "SLURM_CONF": str(self.slurm_conf),
            DIRECTORY_VARIABLE: str(self.directory),
            **_MPI_ENVIRONMENT,
        }


def node_names(nodes: int) -> list[str]:
    """Return ``n1`` to ``n<nodes>``."""
    return [f"n{index}" for index in range(1, nodes + 1)]


def address(host: str) -> str:
    """Return the IPv4 address of a host inside the testbed's own network: .1 for the controller, .10 + i for node i."""
    return "10.87.0.1" if host == CONTROLLER else f"10.87.0.{10 + int(host.removeprefix('n'))}"
