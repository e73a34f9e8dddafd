"""Errors a user can act on: what went wrong, where, and how to mend it, in one line."""

from __future__ import annotations


class ChoraleError(Exception):
    """A failure that is told to the user in one line.

    Args:
        what: What went wrong and where (a file, a key, a host).
        remedy: How to mend it, as an instruction; empty if nothing is known to help.
    """

    exit_status = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.what}; {self.remedy}" if self.remedy else self.what
        return " ".join(line.split())


class InputError(ChoraleError):
    """What the user gave is wrong: a config, a file, a directory. Exit status 2, nothing half-written."""

    exit_status = 2


class WorkError(ChoraleError):
    """The work itself failed. Exit status 1."""


class DiskFullError(WorkError):
    """There was no room for what had to be written; once there is, another attempt may do well."""


class MissingExtraError(InputError):
    """An optional package is not installed.

    Args:
        package: The distribution that is missing, for example ``mpi4py``.
        extra: The extra of this package that brings it.
        remedy: How to get it, where pip alone cannot.
    """

    def __init__(self, package: str, extra: str, remedy: str = "") -> None:
        super().__init__(f"{package} is not installed", remedy or f"install it with: pip install 'chorale[{extra}]'")
