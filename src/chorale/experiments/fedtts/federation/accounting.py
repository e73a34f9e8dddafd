"""What a message costs, by tensor group and kind: the entries that go into the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from chorale.experiments.fedtts.federation.codecs import EncodedTensor
from chorale.experiments.fedtts.federation.ledger import Entry, entries_of
from chorale.experiments.fedtts.federation.message import HEADER, header_bytes, payload_by_group
from chorale.experiments.fedtts.federation.scaffold import is_control, tensor_of

Entries = tuple[Entry, ...]
CONTROL = "control"
"""Kind of the bytes of control variates."""
DROPPED = "dropped"
"""Kind of what clients downloaded that never answered."""
LATE = "late"
"""Kind of answers that came after the deadline."""


def message_entries(facts: Mapping[str, JsonValue], tensors: Mapping[str, EncodedTensor], kind: str) -> Entries:
    """Return the entries of a message without packing it.

    Args:
        facts: Of the message.
        tensors: Of the message; control variates are told by their names, and counted with their tensors' groups.
        kind: Of what is not a control variate: ``model``, ``update``.
    """
    entries: list[Entry] = []
    for wanted, of_kind in ((False, kind), (True, CONTROL)):
        part = {tensor_of(name): each for name, each in tensors.items() if is_control(name) == wanted}
        entries += entries_of(of_kind, part, payload_by_group(part))
    return (*entries, Entry(HEADER, HEADER, 0, 0, header_bytes(facts, tensors)))


def relabelled(entries: Sequence[Entry], kind: str) -> Entries:
    """Return entries that all count as ``kind``."""
    return tuple(entry._replace(kind=kind) for entry in entries)


def length(entries: Sequence[Entry]) -> int:
    """Return the length of the message, in bytes."""
    return sum(entry.serialised_bytes for entry in entries)
