"""The graph of a run's stages: what needs what, what is still to be declared, and how each stands; as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chorale.launch.plan import Plan
from chorale.runs.items import summarise

LATER = "declared later"


@dataclass(frozen=True)
class Node:
    """One stage.

    Attributes:
        name: The stage's name.
        kind: ``task``, ``array``, ``ranks`` or ``mpi``; ``declared later`` for a stage that only others name so far.
        state: How it stands.
        items: How many items are in which state.
        needs: Names of the stages that must have ended before.
        level: 0 for a stage that needs nothing, otherwise one more than the highest of what it needs.
        reason: Why it did not end well; empty otherwise.
    """

    name: str
    kind: str
    state: str
    items: Mapping[str, int]
    needs: tuple[str, ...]
    level: int
    reason: str = ""

    @property
    def is_declared(self) -> bool:
        """Whether it is known more of it than its name."""
        return self.kind != LATER

    @property
    def count(self) -> str:
        """How many items it has and how they stand, in words; empty where it has one that is pending."""
        total = sum(self.items.values())
        if not self.is_declared or (total == 1 and self.state == "pending"):
            return ""
        if len(self.items) == 1:
            return f"{total} {next(iter(self.items))}"
        return f"{total}: " + ", ".join(f"{count} {state}" for state, count in self.items.items())

    def to_json(self) -> dict[str, Any]:
        """Return the stage as a JSON value."""
        return {**asdict(self), "declared": self.is_declared}


def graph(plan: Plan) -> list[Node]:
    """Return the nodes of a plan, each after those it needs; stages that are only named come as ``declared later``."""
    named = {need for status in plan.values() for need in status.stage.needs}
    needs: dict[str, tuple[str, ...]] = {name: () for name in sorted(named) if name not in plan}
    needs.update({name: status.stage.needs for name, status in plan.items()})
    levels: dict[str, int] = {}
    nodes = [_node(plan, name, needs[name], _level(name, needs, levels, ())) for name in needs]
    return sorted(nodes, key=lambda node: (node.level, not node.is_declared))


def as_text(nodes: Sequence[Node]) -> str:
    """Return the graph as text: one line a stage, below the last of what it needs."""
    children = _children(nodes)
    lines: list[tuple[str, Node, str]] = []

    def walk(siblings: Sequence[Node], indent: str) -> None:
        for place, node in enumerate(siblings):
            last = place == len(siblings) - 1
            # A chain stays in its column: a search of fifty generations is read downwards, not sideways.
            branch, deeper = ("", indent) if len(siblings) == 1 else ("└─ ", "   ") if last else ("├─ ", "│  ")
            others = [need for need in node.needs if need != _parent(node, nodes)]
            lines.append((f"{indent}{branch}{node.name}", node, f"and after {', '.join(others)}" if others else ""))
            walk(children.get(node.name, []), indent if len(siblings) == 1 else indent + deeper)

    walk(children.get("", []), "")
    cells = [(drawn, node.kind, node.count, note, node.reason) for drawn, node, note in lines]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), *row[3:]]).rstrip()
        for row in cells
    )


def _node(plan: Plan, name: str, needs: tuple[str, ...], level: int) -> Node:
    status = plan.get(name)
    if status is None:
        return Node(name, LATER, "pending", {}, needs, level)
    reason = status.reason if status.state in ("failed", "cancelled") else ""
    return Node(name, status.stage.kind, status.state.value, summarise(status.records), needs, level, reason)


def _level(name: str, needs: Mapping[str, tuple[str, ...]], levels: dict[str, int], above: tuple[str, ...]) -> int:
    if name not in levels:
        # A stage that needs itself in the end is drawn as if it did not.
        before = [need for need in needs[name] if need not in above and need != name]
        levels[name] = max((_level(need, needs, levels, (*above, name)) + 1 for need in before), default=0)
    return levels[name]


def _parent(node: Node, nodes: Sequence[Node]) -> str:
    """Return the last of what a stage needs: the one below which it is drawn."""
    before = [other for other in nodes if other.name in node.needs and other.level < node.level]
    return before[-1].name if before else ""


def _children(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    children: dict[str, list[Node]] = {}
    for node in nodes:
        children.setdefault(_parent(node, nodes), []).append(node)
    return children
