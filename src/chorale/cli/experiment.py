"""``chorale <experiment> COMMAND``: the verbs that an experiment brings along."""

from __future__ import annotations

import difflib

from chorale.cli.options import Parser, add_json, print_json
from chorale.core.errors import InputError
from chorale.runs.registry import find_experiment


def main(name: str, words: list[str]) -> int:
    """Run one of the experiment's own commands."""
    experiment = find_experiment(name)
    commands = {command.name: command for command in experiment.commands()}
    if not words or words[0] in ("-h", "--help"):
        print(f"usage: chorale {name} COMMAND [...]\n\n{experiment.summary}\n\ncommands:")
        for command in commands.values():
            print(f"  {command.name:<12} {command.help}")
        return 0
    verb, *rest = words
    if verb not in commands:
        near = difflib.get_close_matches(verb, commands, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"its commands are: {', '.join(commands) or 'none'}"
        raise InputError(f"{name} has no command {verb!r}", remedy)
    command = commands[verb]
    parser = Parser(f"{name} {verb}", command.help, command.examples)
    command.add_arguments(parser)
    add_json(parser)
    options = parser.parse_args(rest)
    value = command.run(options)
    if options.json:
        print_json(value)
    else:
        print(command.render(value))
    return 0
