"""What the testbed is doing: up, broken or down, node by node."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from chorale.core.files import read_json, write_json
from chorale.launch.testbed import clients, daemons, hosts, processes
from chorale.launch.testbed.layout import CONTROLLER, Testbed, address, node_names


@dataclass(frozen=True, kw_only=True)
class Node:
    """One virtual host.

    Args:
        name: Its name in Slurm, and its host name.
        address: Its IPv4 address inside the testbed.
        state: As Slurm says it, in lower case: ``idle``, ``mixed``, ``allocated``, ``down*`` (``*``: does not answer).
        jobs: The ids of the jobs that run on it; an array task's is ``<array>_<index>``.
    """

    name: str
    address: str
    state: str
    jobs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Status:
    """The whole testbed.

    Args:
        directory: Where it lies.
        state: ``up``; ``broken`` when a part of it is gone, which ``up`` repairs; ``down``.
        problems: What is missing, one line each; empty unless broken.
        nodes: The nodes; empty when it is down.
        link_mbit: The limit of each node's link in megabits per second; None if there is none.
        uptime_s: Seconds since it was started; 0 when it is down.
    """

    directory: str
    state: Literal["up", "broken", "down"]
    problems: tuple[str, ...]
    nodes: tuple[Node, ...]
    link_mbit: float | None
    uptime_s: float


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the testbed was started with.

    Args:
        nodes: The number of nodes.
        link_mbit: The limit of each node's link in megabits per second, or None.
        started_at: Seconds since the epoch.
    """

    nodes: int
    link_mbit: float | None
    started_at: float


def status(testbed: Testbed) -> Status:
    """Ask the cluster how it is; works in every state of it and changes nothing."""
    settings = read_settings(testbed)
    if settings is None:
        # Without settings, what is left comes of a start or a stop that was broken off.
        leftovers = tuple(f"host {host} is left over" for host in hosts.known(testbed))
        return _without_nodes(testbed, "broken" if leftovers or processes.recorded(testbed) else "down", leftovers)
    names = node_names(settings.nodes)
    gone = [f"host {host}" for host in (CONTROLLER, *names) if not hosts.is_up(testbed, host)]
    gone += daemons.missing(testbed, names)
    # Clients try for a long time to reach a controller that is gone.
    states = {} if "slurmctld" in gone else node_states(testbed)
    nodes = tuple(
        Node(name=name, address=address(name), state=states.get(name, "unknown"), jobs=_jobs_on(testbed, name, states))
        for name in names
    )
    problems = [f"{what} is gone" for what in gone]
    problems += [f"node {node.name} is {node.state}" for node in nodes if not is_serving(node.state)]
    return Status(
        directory=str(testbed.directory),
        state="broken" if problems else "up",
        problems=tuple(problems),
        nodes=nodes,
        link_mbit=settings.link_mbit,
        uptime_s=round(time.time() - settings.started_at, 1),
    )


def node_states(testbed: Testbed) -> dict[str, str]:
    """Return each node's state as Slurm says it; empty if the controller does not answer."""
    shown = clients.ask(testbed, "sinfo", "--noheader", "--Node", "--format=%N %T")
    return dict(line.split() for line in shown.splitlines())


def is_serving(node_state: str) -> bool:
    """Say whether a node in this state answers and takes jobs (``drained`` and ``down`` do not)."""
    # A "-" at the end marks a node that the scheduler has plans for.
    return node_state.rstrip("-") in ("idle", "mixed", "allocated", "completing", "planned", "reserved")


def read_settings(testbed: Testbed) -> Settings | None:
    """Return what the testbed was started with, or None if it is not started."""
    path = testbed.run / "settings.json"
    return Settings(**read_json(path)) if path.exists() else None


def write_settings(testbed: Testbed, settings: Settings) -> None:
    """Write down what the testbed was started with."""
    write_json(testbed.run / "settings.json", vars(settings))


def _jobs_on(testbed: Testbed, node: str, states: dict[str, str]) -> tuple[str, ...]:
    # An idle node is not asked about, which spares a call each.
    if states.get(node, "idle").startswith("idle"):
        return ()
    return tuple(
        clients.ask(testbed, "squeue", "--noheader", "--states=running", f"--nodelist={node}", "--format=%i").split()
    )


def _without_nodes(testbed: Testbed, state: Literal["broken", "down"], problems: tuple[str, ...]) -> Status:
    directory = str(testbed.directory)
    return Status(directory=directory, state=state, problems=problems, nodes=(), link_mbit=None, uptime_s=0.0)
