"""A contact sheet: what was kept and what was dropped, each with its reason, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from chorale.core.files import atomic_path
from chorale.data.faces.report import ClipReport
from chorale.media.video.frames import Frame

_COLUMNS = 8
_PICTURE = (144, 144)
_MARGIN = 8
_LINE = 13
_LINES = 4
_FONT_PX = 11
_INK, _PAPER = (20, 20, 20), (250, 250, 248)
# Okabe and Ito's bluish green and vermilion: told apart by colour-blind readers; words say it too.
_KEPT, _DROPPED = (0, 158, 115), (213, 94, 0)


class Tile(NamedTuple):
    """A clip on the sheet.

    Attributes:
        picture: ``(height, width, 3)`` uint8; None where there is nothing to show.
        title: Its key.
        text: Why it was dropped, or figures of it.
        kept: Which.
    """

    picture: Frame | None
    title: str
    text: str
    kept: bool


def tile_of(report: ClipReport, picture: Frame | None) -> Tile:
    """Return what the sheet shows of a clip."""
    if report.reason is not None:
        return Tile(picture, report.key, f"{report.reason}: {report.detail}", kept=False)
    facts = report.facts
    clear = "" if facts["offset_clear"] else "?"
    text = f"{facts['seconds']} s, face {facts['face_px']} px, sound {facts['offset_s']} s{clear}"
    return Tile(picture, report.key, text, kept=True)


def write_sheet(path: Path, tiles: Sequence[Tile], most: int = 120) -> None:
    """Draw tiles in rows and write them as PNG: what was dropped first, then what was kept.

    Args:
        path: Where.
        tiles: All of them.
        most: How many are shown; of more, half at most are dropped ones, and both kinds are picked evenly.

    Raises:
        InputError: The folder cannot be written.
    """
    dropped, kept = ([tile for tile in tiles if tile.kept is kind] for kind in (False, True))
    shown_dropped = min(len(dropped), max(most // 2, most - len(kept)))
    shown_kept = min(len(kept), most - shown_dropped)
    shown = [*_evenly(dropped, shown_dropped), *_evenly(kept, shown_kept)]
    rows = max(1, -(-len(shown) // _COLUMNS))
    across, down = _PICTURE[0] + _MARGIN, _PICTURE[1] + _LINES * _LINE + _MARGIN
    top = 2 * _LINE + _MARGIN
    image = Image.new("RGB", (_COLUMNS * across + _MARGIN, rows * down + top + _MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_PX)
    head = f"{len(kept)} kept ({shown_kept} shown), {len(dropped)} dropped ({shown_dropped} shown)"
    draw.text((_MARGIN, _MARGIN), head, _INK, ImageFont.load_default(_FONT_PX + 2))
    for at, tile in enumerate(shown):
        x, y = _MARGIN + at % _COLUMNS * across, top + at // _COLUMNS * down
        colour = _KEPT if tile.kept else _DROPPED
        draw.rectangle((x - 2, y - 2, x + _PICTURE[0] + 1, y + _PICTURE[1] + 1), fill=(225, 225, 222), outline=colour)
        if tile.picture is not None:
            picture = Image.fromarray(tile.picture)
            picture.thumbnail(_PICTURE)
            image.paste(picture, (x + (_PICTURE[0] - picture.width) // 2, y + (_PICTURE[1] - picture.height) // 2))
        lines = [tile.title[-_fitting(draw, font, tile.title[::-1]) :], *_wrapped(draw, font, tile.text)]
        for number, line in enumerate(lines[:_LINES]):
            ink = colour if number and not tile.kept else _INK
            draw.text((x, y + _PICTURE[1] + 2 + number * _LINE), line, ink, font)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)


def _evenly(tiles: Sequence[Tile], count: int) -> list[Tile]:
    return [tiles[(2 * at + 1) * len(tiles) // (2 * count)] for at in range(count)]


def _fitting(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> int:
    """Return how many letters fit under a picture; at least one."""
    count = len(text)
    while count > 1 and draw.textlength(text[:count], font) > _PICTURE[0]:
        count -= 1
    return max(1, count)


def _wrapped(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> list[str]:
    lines: list[str] = []
    rest = text
    while rest and len(lines) < _LINES:
        count = _fitting(draw, font, rest)
        if count < len(rest) and " " in rest[: count + 1]:
            count = rest.rindex(" ", 0, count + 1)
        lines.append(rest[:count].strip())
        rest = rest[count:].strip()
    return lines
