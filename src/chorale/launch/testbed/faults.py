"""What goes wrong on real clusters, done on purpose: a node dies and comes back."""

from __future__ import annotations

from chorale.core.errors import InputError
from chorale.launch.testbed import clients, daemons, hosts, processes
from chorale.launch.testbed.cluster import wait_for_nodes
from chorale.launch.testbed.layout import CONTROLLER, Testbed


def kill_node(testbed: Testbed, node: str) -> None:
    """Kill slurmd and every task on ``node`` at once, as a power failure does; its network stands.

    Raises:
        InputError: There is no such node.
    """
    _require_node(testbed, node)
    processes.kill_all(lambda: hosts.pids_on(testbed, node, keeper=False))


def restart_node(testbed: Testbed, node: str) -> None:
    """Start slurmd on a killed node again and wait until the node takes jobs; what runs on it is killed first.

    Jobs that ran on it end with ``NODE_FAIL`` and are requeued if they may be.

    Raises:
        InputError: There is no such node.
        WorkError: It does not come back.
    """
    kill_node(testbed, node)
    # A slurmd that is back before the controller missed it would leave the node's jobs "running" for minutes.
    clients.ask(testbed, "scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=restarted")
    # A restart clears what a power failure leaves; a requeued MPI step of the same id could not bind its socket again.
    for left in testbed.spool.joinpath(node).glob("stepd.slurm.pmix.*"):
        left.unlink(missing_ok=True)
    daemons.start_node(testbed, node)
    wait_for_nodes(testbed, [node])


def _require_node(testbed: Testbed, node: str) -> None:
    if node == CONTROLLER or not hosts.is_up(testbed, node):
        names = ", ".join(name for name in hosts.known(testbed) if name != CONTROLLER and hosts.is_up(testbed, name))
        raise InputError(f"the testbed has no node {node!r}", f"choose one of {names}" if names else "start it first")
