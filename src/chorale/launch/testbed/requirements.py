"""What the testbed needs of the machine: Linux, root, namespaces, Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from chorale.core.errors import InputError
from chorale.core.logs import get_logger

_logger = get_logger(__name__)

# The unversioned libpmix.so that Slurm loads is in libpmix-dev, and must be there before slurmd starts.
_PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "srun": "slurm-client",
    "munged": "munge",
    "ip": "iproute2",
    "tc": "iproute2",
    "nsenter": "util-linux",
    "mpirun": "openmpi-bin",
    "mpicc": "libopenmpi-dev",
}
_PMIX_PACKAGE = "libpmix-dev"
_APT_LOCK_TIMEOUT_S = 120


def check_machine() -> None:
    """Check, by trying, that virtual hosts can be made here.

    Raises:
        InputError: Not Linux, not root, or namespaces are forbidden.
    """
    if sys.platform != "linux":
        raise InputError(f"the Slurm testbed needs Linux, this is {sys.platform}", "run it on a Linux machine")
    if os.geteuid() != 0:
        raise InputError("the Slurm testbed needs root (it makes network namespaces)", "run the command as root")
    if shutil.which("unshare") is None:
        raise InputError("the Slurm testbed needs unshare", "install the package util-linux")
    trial = ["unshare", "--net", "--uts", "--mount", "true"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip() or f"exit status {done.returncode}"
        raise InputError(
            f"this machine forbids namespaces ({reason})", "use a virtual machine or a privileged container"
        )


def missing_packages() -> list[str]:
    """Return the Debian packages that are needed and not there, sorted."""
    missing = {package for command, package in _PACKAGES.items() if shutil.which(command, path=_system_path()) is None}
    if not any(Path("/usr/lib").glob("*/libpmix.so")) and not any(Path("/usr/lib").glob("*/pmix*/lib/libpmix.so")):
        missing.add(_PMIX_PACKAGE)
    return sorted(missing)


def install_packages() -> None:
    """Install with apt-get what :func:`missing_packages` names; do nothing if that is nothing.

    Raises:
        InputError: There is no apt-get here, or it failed.
    """
    missing = missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise InputError(f"the Slurm testbed lacks {names}, and there is no apt-get", "install these by hand")
    _logger.info("testbed: installing %s with apt-get", names)
    done = _apt("install", *missing)
    if done.returncode != 0:
        _logger.info("testbed: fetching apt's package lists first")
        _apt("update")
        done = _apt("install", *missing)
    still_missing = missing_packages()
    if done.returncode != 0 or still_missing:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise InputError(f"apt-get could not install {names} ({last})", f"run: apt-get install {names}")
    _logger.info("testbed: installed %s", names)


def _apt(verb: str, *packages: str) -> subprocess.CompletedProcess[str]:
    options = ["--quiet", "--yes", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={_APT_LOCK_TIMEOUT_S}"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *options, verb, *packages]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def _system_path() -> str:
    # Daemons and ip lie in sbin, which is not on everyone's PATH; the testbed's own wrappers must not count.
    return "/usr/sbin:/usr/bin:/sbin:/bin"
