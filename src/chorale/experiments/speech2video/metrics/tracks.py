"""The face of a video, frame by frame: its 68 points, and embeddings by dlib's face recognition."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import MissingExtraError
from chorale.media.faces.finder import FaceFinder
from chorale.media.video.frames import Frame

FEATURES = 128
"""Of an embedding."""
EVERY = 5
"""Frames after which the face is looked for everywhere and embedded; between, it is where it was."""

_FILE = "dlib_face_recognition_resnet_model_v1.dat"
_SMALLEST = 60


class FaceModels:
    """The networks that look at faces, loaded once.

    Raises:
        MissingExtraError: dlib or the models' files are not installed.
    """

    def __init__(self) -> None:
        self.finder = FaceFinder()
        import dlib

        spec = find_spec("face_recognition_models")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("face_recognition_models", "faces")
        self._dlib: Any = dlib
        folder = Path(spec.submodule_search_locations[0]) / "models"
        self._recognise: Any = dlib.face_recognition_model_v1(str(folder / _FILE))

    def embed(self, frame: Frame, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return dlib's embedding of a face, ``(128,)``.

        Trained so that faces of one person are less than 0.6 apart, L2 (King 2017).

        Args:
            frame: ``(height, width, 3)`` uint8.
            points: The face's, ``(68, 2)``.
        """
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        box = self._dlib.rectangle(*(round(float(side)) for side in (left, top, right, bottom)))
        parts = self._dlib.points([self._dlib.point(round(float(x)), round(float(y))) for x, y in points])
        shape = self._dlib.full_object_detection(box, parts)
        return np.array(self._recognise.compute_face_descriptor(np.ascontiguousarray(frame), shape), np.float64)


class FaceTrack:
    """Follows the face of one video.

    Args:
        models: Loaded.
        every: See :data:`EVERY`.
    """

    def __init__(self, models: FaceModels, every: int = EVERY) -> None:
        self._models, self._every = models, every
        self._points: list[NDArray[np.float64]] = []
        self._embeddings: list[NDArray[np.float64]] = []
        self._last: NDArray[np.float64] | None = None

    @property
    def points(self) -> NDArray[np.float64]:
        """``(frames, 68, 2)`` so far, pixels of the frame; NaN where there was no face."""
        return np.array(self._points).reshape(-1, 68, 2)

    @property
    def embeddings(self) -> NDArray[np.float64]:
        """``(faces, 128)`` so far."""
        return np.array(self._embeddings).reshape(-1, FEATURES)

    def add(self, frame: Frame) -> None:
        """Look at the next frame.

        Args:
            frame: ``(height, width, 3)`` uint8.
        """
        # The detector finds no face that touches the border, as those in prepared frames do.
        border = max(frame.shape[:2]) // 4
        padded = np.pad(frame, ((border, border), (border, border), (0, 0)), mode="edge")
        looking = self._last is None or len(self._points) % self._every == 0
        if looking:
            found = self._models.finder.find(padded, smallest=max(16, min(_SMALLEST, frame.shape[1] // 2)))
        else:
            assert self._last is not None
            found = self._models.finder.find_near(padded, self._last)
        self._last = None if found is None else found.points
        if self._last is None:
            self._points.append(np.full((68, 2), np.nan))
            return
        if looking:
            self._embeddings.append(self._models.embed(padded, self._last))
        self._points.append(self._last - border)


def track(frames: Iterable[Frame], models: FaceModels, every: int = EVERY) -> FaceTrack:
    """Return the face of a whole video.

    Args:
        frames: ``(height, width, 3)`` uint8 each.
        models: Loaded.
        every: See :data:`EVERY`.
    """
    found = FaceTrack(models, every)
    for frame in frames:
        found.add(frame)
    return found
