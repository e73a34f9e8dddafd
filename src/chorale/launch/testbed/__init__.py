"""A real Slurm cluster of virtual hosts on one machine, started and stopped by one command, to test against."""

from chorale.launch.testbed.clients import exec_in
from chorale.launch.testbed.cluster import down, up
from chorale.launch.testbed.faults import kill_node, restart_node
from chorale.launch.testbed.layout import Testbed
from chorale.launch.testbed.links import Counters, counters
from chorale.launch.testbed.links import cut as cut_link
from chorale.launch.testbed.links import restore as restore_link
from chorale.launch.testbed.state import Node, Status, status

__all__ = [
    "Counters",
    "Node",
    "Status",
    "Testbed",
    "counters",
    "cut_link",
    "down",
    "exec_in",
    "kill_node",
    "restart_node",
    "restore_link",
    "status",
    "up",
]
