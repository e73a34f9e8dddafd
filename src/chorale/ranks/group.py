"""The group of processes that work on one stage; with one process, an object that does nothing, so no caller asks."""

from __future__ import annotations

from typing import Protocol, TypeVar

T = TypeVar("T")


class Group(Protocol):
    """What a stage may ask of the processes it runs on."""

    rank: int
    size: int

    def barrier(self) -> None:
        """Wait until every rank is here."""

    def broadcast(self, value: T) -> T:
        """Return rank 0's ``value`` on every rank."""

    def agree(self, flag: bool) -> bool:
        """Return True on every rank if ``flag`` is True on any."""


class SingleProcess:
    """The group of one: every collective is the identity."""

    rank = 0
    size = 1

    def barrier(self) -> None:
        """Return at once."""

    def broadcast(self, value: T) -> T:
        """Return ``value``."""
        return value

    def agree(self, flag: bool) -> bool:
        """Return ``flag``."""
        return flag
