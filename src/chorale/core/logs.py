"""Messages: to standard error, coloured on a terminal and plain in a log file."""

from __future__ import annotations

import logging
import os
import sys
import time

_ROOT = "chorale"


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module, below the package's own."""
    return logging.getLogger(name if name.startswith(_ROOT) else f"{_ROOT}.{name}")


def configure(verbose: bool = False) -> None:
    """Send the package's messages to standard error: bare on a terminal, with a time stamp elsewhere."""
    logger = logging.getLogger(_ROOT)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    bare = "%(message)s" if is_terminal() else "%(asctime)s %(levelname)s %(message)s"
    formatter = logging.Formatter(bare, datefmt="%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.propagate = False


def is_terminal() -> bool:
    """Say whether standard error is a terminal on which bars and colours make sense (``NO_COLOR`` says no)."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
