"""The page on which people compare videos: one file, opened from a disk or a mail, no server, nothing sent."""

from __future__ import annotations

import base64
from pathlib import Path

from chorale.core import files
from chorale.core.errors import InputError
from chorale.experiments.speech2video.study.plan import Study, write_key

LARGEST_BYTES = 200_000_000
"""Of all videos together: browsers hold the page in memory."""

PAGE, KEY = "study.html", "key.json"
"""Names of the two files that a study is made of."""


def make_page(study: Study, folder: Path) -> Path:
    """Write the page and, beside it, the key; return the page's path.

    The videos are in the page. It knows pairs by number and sides as a and b, but no system and no file name, so that
    who looks into it learns nothing. Every listener has another order and other sides, drawn from the study's seed and
    the listener's name: the same name sees the same again.

    Args:
        study: What is shown.
        folder: Where both files go. The key stays with the experimenter: it tells what is whose.

    Raises:
        InputError: A video is missing, all are too large together, or the folder cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    paths = [Path(video) for pair in study.pairs for video in (pair.first_video, pair.second_video)]
    # One that is shown in several pairs is held once. Sorted by content, so that order says nothing of systems.
    contents = {path: _read(path) for path in dict.fromkeys(paths)}
    size = sum(len(content) for content in contents.values())
    if size > LARGEST_BYTES:
        raise InputError(
            f"the videos have {size / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f} for a page",
            "show fewer pairs, or smaller videos",
        )
    videos = sorted({_data(path, content) for path, content in contents.items()})
    place = {path: videos.index(_data(path, content)) for path, content in contents.items()}
    pairs = [
        {"id": number, "a": place[Path(pair.first_video)], "b": place[Path(pair.second_video)]}
        for number, pair in study.shown_as().items()
    ]
    environment = Environment(
        loader=PackageLoader("chorale.experiments.speech2video.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("page.html").render(
        title=study.title,
        emotions=study.emotions,
        study={"name": study.name, "seed": study.seed, "pairs": pairs, "emotions": list(study.emotions)},
        videos=videos,
    )
    write_key(study, folder / KEY)
    files.write_text(folder / PAGE, page)
    return folder / PAGE


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _data(path: Path, content: bytes) -> str:
    return f"data:video/{path.suffix.lower().lstrip('.')};base64,{base64.b64encode(content).decode()}"
