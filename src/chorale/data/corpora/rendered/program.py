"""Draws some clips of a rendered corpus: ``python -m chorale.data.corpora.rendered.program CONFIG CACHE FIRST LAST``.

A process of its own, whose environment says where an unpacked Mesa lies: the linker reads that at the start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chorale.core.errors import ChoraleError, InputError, WorkError
from chorale.data.corpora.mesa import drawing_environment
from chorale.data.corpora.rendered.config import RenderedConfig

_ONE_THREAD = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def render_apart(config: RenderedConfig, cache: Path, first: int, last: int) -> int:
    """Let another process draw clips ``first`` to ``last - 1`` of a corpus, with its progress on this one's output.

    Args:
        config: Of the corpus.
        cache: Of the user.
        first: Number in the plan.
        last: One past the last.

    Returns:
        Clips drawn now; those there already are left alone.

    Raises:
        InputError: Something that is needed is not installed or fetched.
        WorkError: It failed otherwise.
    """
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, config.canonical(), str(cache), str(first), str(last)],
        env={**os.environ, **_ONE_THREAD, **drawing_environment(cache)},
        stdout=subprocess.PIPE,
        text=True,
    )
    last_line = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == InputError.exit_status:
        raise InputError(*last_line.split("\t", 1))
    if done.returncode != 0:
        raise WorkError(f"clips {first} to {last - 1} could not be rendered: {last_line or 'see above'}")
    return int(last_line)


def main(words: list[str]) -> int:
    """Draw, print how many were drawn, and return the exit status."""
    from chorale.core.logs import configure
    from chorale.data.corpora.rendered.corpus import planned_clips, render_clips
    from chorale.ranks.device import set_threads

    configure()
    set_threads(1)
    config = RenderedConfig.model_validate_json(words[0])
    cache, first, last = Path(words[1]), int(words[2]), int(words[3])
    try:
        print(render_clips(config, planned_clips(config)[first:last], cache))
    except ChoraleError as error:
        print(f"{error.what}\t{error.remedy}")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
