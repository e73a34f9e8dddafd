"""Start and stop the testbed: a real Slurm cluster of virtual hosts on one machine."""

from __future__ import annotations

import contextlib
import re
import shutil
import time

from chorale.core.errors import InputError, WorkError
from chorale.core.files import write_text
from chorale.core.logs import get_logger
from chorale.launch.testbed import clients, configuration, daemons, hosts, links, processes, requirements
from chorale.launch.testbed.layout import CONTROLLER, NODES_MAX, Testbed, node_names
from chorale.launch.testbed.lock import exclusive
from chorale.launch.testbed.state import Settings, Status, is_serving, node_states, status, write_settings

_logger = get_logger(__name__)

_READY_TIMEOUT_S = 60.0
_POLL_S = 0.1
_DISK_MB = 256
# Each start takes job ids from a fresh thousand on, so that an old run's job is never taken for a new one.
_JOB_ID_STEP = 1000
# Below 67,108,864, Slurm's highest.
_JOB_ID_MAX = 60_000_000


def up(testbed: Testbed, nodes: int = 4, link_mbit: float | None = None) -> Status:
    """Start the cluster, or check the one that is up; repair it after a crash, and make it anew for other ``nodes``.

    Args:
        testbed: The cluster.
        nodes: The number of nodes, each of 4 CPUs for the scheduler.
        link_mbit: Limit each node's link, each direction by itself, to so many megabits per second; None for no limit.

    Raises:
        InputError: A number makes no sense, the machine cannot carry a testbed, or another command is at work on it.
        WorkError: A daemon did not start; nothing is left running.
    """
    if not 1 <= nodes <= NODES_MAX:
        raise InputError(f"--nodes {nodes}: not a size for a testbed", f"choose 1 to {NODES_MAX}")
    if link_mbit is not None and not 0.1 <= link_mbit <= 100_000:
        raise InputError(f"--link-mbit {link_mbit}: not a limit for a link", "choose 0.1 to 100000")
    requirements.check_machine()
    requirements.install_packages()
    hosts.require_outside(testbed)
    with exclusive(testbed):
        before = status(testbed)
        if before.state == "up" and len(before.nodes) == nodes:
            return _keep(testbed, before, link_mbit)
        if before.state == "up":
            _logger.info("testbed: %d nodes are up, %d are wanted; starting anew", len(before.nodes), nodes)
        if before.state == "broken":
            _logger.info("testbed: repairing (%s)", "; ".join(before.problems) or "left over from a crash")
        _tear_down(testbed)
        try:
            return _start(testbed, nodes, link_mbit)
        except BaseException:
            _tear_down(testbed)
            raise


def down(testbed: Testbed) -> bool:
    """Stop the cluster and all that runs on it; the job completion file stays, and the logs until the next start.

    Returns:
        Whether there was anything to stop.

    Raises:
        InputError: Not root, inside the testbed itself, or another command is at work on it.
    """
    if not testbed.directory.exists():
        return False
    requirements.check_machine()
    hosts.require_outside(testbed)
    with exclusive(testbed):
        was_down = status(testbed).state == "down"
        _tear_down(testbed)
    _logger.info("testbed: %s", "was not up" if was_down else "stopped")
    return not was_down


def _start(testbed: Testbed, nodes: int, link_mbit: float | None) -> Status:
    began = time.monotonic()
    names = node_names(nodes)
    # The logs of a start that failed or crashed were there to be read until now.
    shutil.rmtree(testbed.logs, ignore_errors=True)
    for folder in (testbed.run, testbed.spool, testbed.logs, testbed.private):
        folder.mkdir(parents=True, exist_ok=True)
    configuration.write(testbed, nodes, _first_job_id(testbed))
    hosts.write_names(testbed, [CONTROLLER, *names])
    clients.write(testbed)
    hosts.make_disk(testbed, _DISK_MB)
    hosts.create(testbed, [CONTROLLER, *names])
    links.connect(testbed, names)
    if link_mbit is not None:
        links.limit(testbed, names, link_mbit)
    daemons.start_controller(testbed)
    for name in names:
        daemons.start_node(testbed, name)
    wait_for_nodes(testbed, names)
    write_settings(testbed, Settings(nodes=nodes, link_mbit=link_mbit, started_at=time.time()))
    _logger.info("testbed: %d nodes are up after %.1f s, in %s", nodes, time.monotonic() - began, testbed.directory)
    return status(testbed)


def _keep(testbed: Testbed, now: Status, link_mbit: float | None) -> Status:
    _logger.info("testbed: already up, %d nodes, all healthy", len(now.nodes))
    if link_mbit == now.link_mbit:
        return now
    links.limit(testbed, [node.name for node in now.nodes], link_mbit)
    started_at = time.time() - now.uptime_s
    write_settings(testbed, Settings(nodes=len(now.nodes), link_mbit=link_mbit, started_at=started_at))
    _logger.info(
        "testbed: links %s", "are no longer limited" if link_mbit is None else f"limited to {link_mbit} Mbit/s"
    )
    return status(testbed)


def _tear_down(testbed: Testbed) -> None:
    (testbed.run / "settings.json").unlink(missing_ok=True)
    for host in reversed(hosts.known(testbed)):
        hosts.remove(testbed, host)
    processes.kill_all(lambda: processes.recorded(testbed))
    hosts.remove_disk(testbed)
    # After a crash a host's own mounts go with its last process; these folders are then ordinary ones.
    networks = testbed.directory / "networks"
    for folder in (testbed.run, testbed.spool, testbed.bin, testbed.private, testbed.disk, networks):
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("munge.key", "hosts", "slurm.conf", "mpi.conf"):
        (testbed.directory / name).unlink(missing_ok=True)


def wait_for_nodes(testbed: Testbed, names: list[str]) -> None:
    """Wait until all of these nodes take jobs.

    Raises:
        WorkError: One does not, in a minute.
    """
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        states = node_states(testbed)
        waiting = [name for name in names if not is_serving(states.get(name, "unknown"))]
        if not waiting:
            return
        if time.monotonic() > deadline:
            told = ", ".join(f"{name} is {states.get(name, 'unknown')}" for name in waiting)
            raise WorkError(f"testbed: nodes do not come up ({told})", f"see the logs in {testbed.logs}")
        time.sleep(_POLL_S)


def _first_job_id(testbed: Testbed) -> int:
    path = testbed.directory / "first_job_id"
    used = [0]
    with contextlib.suppress(OSError, ValueError):
        used.append(int(path.read_text()))
    if testbed.completed_jobs.exists():
        text = testbed.completed_jobs.read_text(errors="replace")
        used += [int(number) for number in re.findall(r"^JobId=(\d+)", text, flags=re.MULTILINE)]
    first = (max(used) // _JOB_ID_STEP + 1) * _JOB_ID_STEP + 1
    first = first if first < _JOB_ID_MAX else 1
    write_text(path, f"{first}\n")
    return first
