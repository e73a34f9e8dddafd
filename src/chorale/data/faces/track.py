"""One face through a video: found, followed, and looked for again when it is lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorale.data.faces.config import TrackConfig
from chorale.media.faces.finder import FaceFinder, Points, face_square
from chorale.media.video.frames import Frame

Floats = NDArray[np.float64]

_THUMBNAIL = (32, 18)
_FLAT = 2.0  # Standard deviation in grey levels below which a thumbnail has no pattern to compare.
_BLACKOUT = 32.0  # Grey levels by which two such thumbnails must differ to be of two shots.


class Track(NamedTuple):
    """Where a face is.

    Attributes:
        points: ``(frames, 68, 2)``, pixels of the source; not a number where no face is seen.
        cuts: Frames with which a new shot begins, the first not among them.
    """

    points: Floats
    cuts: tuple[int, ...]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Say of each frame whether a face is seen, ``(frames,)``."""
        return np.isfinite(self.points[:, 0, 0])


def track_face(frames: Iterable[Frame], finder: FaceFinder, config: TrackConfig) -> Track:
    """Follow the largest face of a video, holding one frame at a time.

    In the first frame of a shot the largest face of the whole frame is looked for, in each following one a face around
    where it was. Where there is none it counts as unseen, and after ``search_every`` such frames the whole frame is
    searched again. A face that is then found more than its width away begins a new shot: it is somebody else, or there
    was a cut between two pictures that are much alike.

    The points are each frame's own: those that follow from the points of the frame before alone drift on small faces
    (see :meth:`~chorale.media.faces.finder.FaceFinder.follow`).

    Args:
        frames: All of one size.
        finder: What finds.
        config: How.
    """
    points: list[Points] = []
    cuts: list[int] = []
    unseen = np.full((68, 2), np.nan)
    last: Points | None = None
    wait = 0
    before: Floats | None = None
    for at, frame in enumerate(frames):
        thumbnail = _thumbnail(frame)
        if before is not None and not _alike(before, thumbnail, config.cut_below):
            cuts.append(at)
            last, wait = None, 0
        before = thumbnail
        found = None if last is None else finder.find_near(frame, last)
        if found is None and wait == 0:
            found = finder.find(frame, max(config.smallest_px, round(config.smallest_share * frame.shape[0])))
            wait = config.search_every
            if last is not None and found is not None and _distance(last, found.points) > 1:
                cuts.append(at)
        if found is None:
            wait -= 1
            points.append(unseen)
        else:
            wait = config.search_every
            last = found.points
            points.append(last)
    return Track(np.array(points).reshape(-1, 68, 2), tuple(cuts))


def filled(points: Floats) -> Floats:
    """Return points with those of unseen frames interpolated; before the first seen and after the last, held.

    Args:
        points: ``(frames, 68, 2)``, seen in at least one.
    """
    frames = np.arange(len(points))
    seen = np.isfinite(points[:, 0, 0])
    flat = points.reshape(len(points), -1)
    columns = [np.interp(frames, frames[seen], flat[seen, column]) for column in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(points.shape)


def longest_gap(seen: NDArray[np.bool_]) -> int:
    """Return the largest number of frames in a row in which nothing is seen."""
    edges = np.flatnonzero(np.concatenate(([True], seen, [True])))
    return int(np.diff(edges).max()) - 1


def face_runs(track: Track, min_frames: int, max_gap: int) -> list[tuple[int, int]]:
    """Return the parts of a video in which one face is seen within one shot, as first frame and frame after the last.

    Args:
        track: Of the whole video.
        min_frames: Shorter parts are left out.
        max_gap: So many frames in a row without a face do not end a part.
    """
    runs: list[tuple[int, int]] = []
    for start, end in zip((0, *track.cuts), (*track.cuts, len(track.points)), strict=True):
        seen = np.flatnonzero(track.seen[start:end]) + start
        if not len(seen):
            continue
        breaks = np.flatnonzero(np.diff(seen) > max_gap + 1)
        firsts, lasts = (0, *(breaks + 1)), (*breaks, len(seen) - 1)
        runs += [(int(seen[first]), int(seen[last]) + 1) for first, last in zip(firsts, lasts, strict=True)]
    return [(start, end) for start, end in runs if end - start >= min_frames]


def face_widths(points: Floats) -> Floats:
    """Return the width of the face in each frame, ``(frames,)``, as the detector would draw it; NaN where unseen."""
    return np.array([face_square(one)[1] for one in points])


def _distance(one: Points, other: Points) -> float:
    """Return how far apart two faces are, in widths of the first."""
    (middle, side), (beside, _) = face_square(one), face_square(other)
    return float(np.hypot(middle[0] - beside[0], middle[1] - beside[1])) / max(side, 1.0)


def _thumbnail(frame: Frame) -> Floats:
    # Reducing first is many times as fast as resampling from all pixels, and as good here.
    image = Image.fromarray(frame)
    factor = max(1, min(image.width // _THUMBNAIL[0], image.height // _THUMBNAIL[1]))
    small = image.reduce(factor).convert("L").resize(_THUMBNAIL, Image.Resampling.BILINEAR)
    return np.asarray(small, np.float64)


def _alike(before: Floats, now: Floats, least: float) -> bool:
    """Say whether two thumbnails are of one shot, by their correlation: a change of brightness leaves it as it is."""
    if min(before.std(), now.std()) < _FLAT:
        both = max(before.std(), now.std()) < _FLAT
        return bool(both and abs(before.mean() - now.mean()) < _BLACKOUT)
    return float(np.corrcoef(before.ravel(), now.ravel())[0, 1]) >= least
