"""Whether the time between Slurm's warning and the end is enough to save in."""

from __future__ import annotations

import os

from chorale.core.logs import get_logger

SIGNAL_LEAD = "CHORALE_SIGNAL_LEAD_S"
"""Environment variable: seconds between the signal and the kill, as the launcher has asked for them."""
# Ranks may be in the middle of a long step when the signal comes, and the disk may be busier than it was.
_SAFETY = 2.0
_log = get_logger(__name__)


class SignalLead:
    """The seconds between the signal and the kill, with which every save is compared; warns once."""

    def __init__(self) -> None:
        self._lead_s = float(os.environ.get(SIGNAL_LEAD, "inf"))
        self._warned = False

    def compare(self, seconds: float, what: str = "a checkpoint", otherwise: str = "save less") -> None:
        """Warn, with the remedy, if what took ``seconds`` might not end in time.

        Args:
            seconds: That it took.
            what: Took it.
            otherwise: What can be done instead of raising the lead.
        """
        if _SAFETY * seconds > self._lead_s and not self._warned:
            self._warned = True
            _log.warning(
                "%s took %.1f s, and the signal comes %g s before the end; "
                "write --signal=USR2@%d in the template, or %s",
                what,
                seconds,
                self._lead_s,
                int(2 * _SAFETY * seconds) + 1,
                otherwise,
            )
