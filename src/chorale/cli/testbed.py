"""``chorale testbed``: a real Slurm cluster of virtual hosts on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from chorale.cli.options import Parser, add_json, print_json
from chorale.launch.testbed import Status, Testbed, down, exec_in, status, up


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "testbed",
        "A real Slurm cluster of several virtual hosts, each with its own address and host name, on this machine. "
        "Needs root and, the first time, apt.",
        [
            "chorale testbed up --nodes 4",
            "chorale testbed up --nodes 4 --link-mbit 200",
            "chorale testbed exec -- srun -N4 hostname",
            "chorale submit configs/autovector/tiny.yaml --cluster testbed --wait",
            "chorale testbed down",
        ],
    )
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser
    )
    starting = actions.add_parser("up", help="start it, or repair it")
    starting.add_argument("--nodes", type=int, default=4, help="virtual hosts (default: %(default)s)")
    starting.add_argument("--link-mbit", type=float, metavar="N", help="limit each host's link, megabits per second")
    add_json(starting)
    add_json(actions.add_parser("status", help="its nodes and their jobs"))
    running = actions.add_parser("exec", help="run a command inside it")
    running.add_argument("--node", default="ctl", help="on this host (default: the controller)")
    running.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    actions.add_parser("down", help="stop it and leave nothing behind")
    options = parser.parse_args(words)
    testbed = Testbed.at()
    if options.action == "exec":
        command = options.command[1:] if options.command[:1] == ["--"] else options.command
        if not command:
            parser.error("exec: no command given")
        return exec_in(testbed, command, host=options.node)
    if options.action == "down":
        print("testbed: stopped" if down(testbed) else "testbed: was not running")
        return 0
    now = up(testbed, nodes=options.nodes, link_mbit=options.link_mbit) if options.action == "up" else status(testbed)
    print_json(asdict(now)) if options.json else _show(now)
    return 0


def _show(now: Status) -> None:
    limit = f", links of {now.link_mbit:g} Mbit/s" if now.link_mbit else ""
    print(f"testbed: {now.state}{limit}, in {now.directory}")
    for problem in now.problems:
        print(f"  {problem}")
    for node in now.nodes:
        print(f"  {node.name:<6} {node.address:<15} {node.state:<10} {' '.join(node.jobs)}")
