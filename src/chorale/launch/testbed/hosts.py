"""Virtual hosts: network, UTS and mount namespaces of their own, on the machine's kernel and disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from chorale.core.errors import InputError
from chorale.core.files import write_text
from chorale.launch.testbed import processes
from chorale.launch.testbed.layout import CONTROLLER, Testbed, address

# `ip netns exec` would remount /sys and hide /sys/fs/cgroup, without which slurmd refuses to start; nsenter does not.
# The marker file comes last: whoever sees it finds the host ready.
_SET_UP = """
set -e
hostname "$1"
mount --bind "$2/hosts" /etc/hosts
mount -t tmpfs -o mode=0755 testbed "$2/private"
echo "$1" > "$2/private/host"
exec sleep infinity
"""


def create(testbed: Testbed, names: list[str]) -> None:
    """Make the namespaces of all hosts, and on each a process that keeps them.

    Raises:
        WorkError: One was not made.
    """
    # All networks first: the controller links to them by these files, and its mounts are a copy of what stands then.
    for name in names:
        pin = testbed.network(name)
        pin.parent.mkdir(exist_ok=True)
        pin.touch()
        subprocess.run(["unshare", f"--net={pin}", "true"], check=True)
    for name in names:
        separate = ["nsenter", f"--net={testbed.network(name)}", "unshare", "--uts", "--mount"]
        command = [*separate, "sh", "-c", _SET_UP, "sh", name, str(testbed.directory)]
        pid = processes.start(testbed, _keeper(name), command)
        marker = Path(f"/proc/{pid}/root{testbed.inside_marker}")
        processes.wait_until(marker.exists, f"host {name} was not made", testbed, _keeper(name))


def make_disk(testbed: Testbed, megabytes: int) -> None:
    """Mount the shared disk; hosts that are made after it see it."""
    testbed.disk.mkdir(exist_ok=True)
    size = f"size={megabytes}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "testbed-disk", str(testbed.disk)], check=True)


def remove_disk(testbed: Testbed) -> None:
    """Unmount the shared disk, with what lies on it."""
    while os.path.ismount(testbed.disk):
        # Somebody's working directory may still be there; it is out of sight at once, and gone with its last user.
        subprocess.run(["umount", "--lazy", str(testbed.disk)], check=True)


def write_names(testbed: Testbed, hosts: list[str]) -> None:
    """Write the file that is ``/etc/hosts`` on every host."""
    lines = ["127.0.0.1 localhost", *(f"{address(host)} {host}" for host in hosts)]
    write_text(testbed.directory / "hosts", "\n".join(lines) + "\n")


def known(testbed: Testbed) -> list[str]:
    """Return the hosts of which a network namespace or its file is left, controller first."""
    names = [pin.name for pin in testbed.network(CONTROLLER).parent.glob("*")]
    return sorted(names, key=lambda name: (name != CONTROLLER, len(name), name))


def is_up(testbed: Testbed, host: str) -> bool:
    """Say whether the namespaces of ``host`` stand."""
    return processes.pid_of(testbed, _keeper(host)) is not None


def enter(testbed: Testbed, host: str, directory: Path | None = None) -> list[str]:
    """Return the words to put before a command so that it runs on ``host`` in ``directory``, by default this one.

    Raises:
        InputError: There is no such host.
    """
    pid = processes.pid_of(testbed, _keeper(host))
    if pid is None:
        names = ", ".join(name for name in known(testbed) if is_up(testbed, name))
        if not names:
            raise InputError(f"{testbed.directory}: no testbed is up", "start one with: chorale testbed up")
        raise InputError(f"the testbed has no host {host!r}", f"choose one of {names}")
    spaces = [f"--target={pid}", "--net", "--uts", "--mount"]
    return ["nsenter", *spaces, f"--wdns={directory or Path.cwd()}", "--"]


def pids_on(testbed: Testbed, host: str, *, keeper: bool = True) -> list[int]:
    """Return the ids of all processes in the network namespace of ``host``.

    Args:
        testbed: The cluster.
        host: A node or the controller.
        keeper: Count the process that keeps the namespaces, too.
    """
    try:
        namespace = testbed.network(host).stat()
    except OSError:
        return []
    spared = None if keeper else processes.pid_of(testbed, _keeper(host))
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == spared:
            continue
        with contextlib.suppress(OSError):
            theirs = (entry / "ns/net").stat()
            if os.path.samestat(theirs, namespace) and processes.is_alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def remove(testbed: Testbed, host: str) -> None:
    """Kill everything on ``host`` and remove its namespaces and links; whatever is gone already is no error."""
    processes.kill_all(lambda: pids_on(testbed, host))
    pin = testbed.network(host)
    # After a crash of the machine the file is an ordinary one, and after a crash of `up` it may be mounted twice.
    while os.path.ismount(pin):
        subprocess.run(["umount", str(pin)], check=True)
    pin.unlink(missing_ok=True)


def require_outside(testbed: Testbed) -> None:
    """Check that this process is not on one of the hosts.

    Raises:
        InputError: It is.
    """
    if testbed.inside_marker.exists():
        host = testbed.inside_marker.read_text().strip()
        raise InputError(f"this is host {host} of the testbed itself", "start and stop the testbed from outside of it")


def _keeper(host: str) -> str:
    return f"host-{host}"
