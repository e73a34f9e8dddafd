"""Faces and their 68 points, found by dlib: gradients in a window that slides, then a cascade of regression trees."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorale.core.errors import MissingExtraError
from chorale.media.video.frames import Frame

Points = NDArray[np.float64]
"""``(68, 2)``: x and y in pixels, in iBUG's order (Sagonas et al. 2013)."""

_SMALLEST = 80  # Pixels of the detector's window: smaller faces are not found.
_NEAR = 100  # Pixels to which a face is brought that is looked for where it was: well above the window.
_NEAR_SCORE = -0.5
"""The detector's threshold for a face that was there just before: lower than 0, at which one appears. Our choice."""


class Found(NamedTuple):
    """A face.

    Attributes:
        points: Its 68 points.
        width: Of the detector's box, pixels.
        score: The detector's; its threshold is 0.
    """

    points: Points
    width: float
    score: float


class FaceFinder:
    """Finds the largest face of a frame.

    Raises:
        MissingExtraError: dlib or the predictor's file is not installed.
    """

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise MissingExtraError("dlib-bin", "faces") from error
        self._dlib: Any = dlib
        self._detect = dlib.get_frontal_face_detector()
        self._predict = dlib.shape_predictor(str(_predictor_file()))

    def find(self, frame: Frame, smallest: int = 60) -> Found | None:
        """Return the face that is largest; None where there is none.

        Args:
            frame: ``(height, width, 3)`` uint8.
            smallest: Width in pixels of the smallest face looked for; half as small takes four times as long.
        """
        return self._largest(frame, (0, 0, frame.shape[1], frame.shape[0]), _SMALLEST / smallest, 0.0)

    def find_near(self, frame: Frame, before: Points, score: float = _NEAR_SCORE) -> Found | None:
        """Return the face that is where one was, looked for only around there; None where there is none.

        It takes a small part of the time that :meth:`find` does.

        Args:
            frame: ``(height, width, 3)`` uint8.
            before: The points of a face of about the same place and size.
            score: The detector's threshold.
        """
        (x, y), side = face_square(before)
        height, width = frame.shape[:2]
        left, right = np.clip((round(x - side), round(x + side)), 0, width)
        top, bottom = np.clip((round(y - side), round(y + side)), 0, height)
        if min(right - left, bottom - top) < side / 2:
            return None  # It has left the frame.
        return self._largest(frame, (int(left), int(top), int(right), int(bottom)), _NEAR / side, score)

    def _largest(self, frame: Frame, part: tuple[int, int, int, int], scale: float, score: float) -> Found | None:
        """Look for faces in a part of the frame, at a scale; the points are found in the frame as it is."""
        left, top, right, bottom = part
        image = Image.fromarray(np.ascontiguousarray(frame[top:bottom, left:right]))
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        # Shrinking averages, growing is bilinear.
        shown = np.asarray(image.resize(size, Image.Resampling.BILINEAR)) if size != image.size else np.asarray(image)
        boxes, scores, _ = self._detect.run(np.ascontiguousarray(shown), 0, score)
        if not boxes:
            return None
        found, found_score = max(zip(boxes, scores, strict=True), key=lambda one: one[0].width())
        x, y = (right - left) / size[0], (bottom - top) / size[1]
        corners = found.left() * x + left, found.top() * y + top, found.right() * x + left, found.bottom() * y + top
        return Found(self._points(frame, self._box(corners)), found.width() * x, float(found_score))

    def _box(self, corners: tuple[float, float, float, float]) -> Any:
        return self._dlib.rectangle(*(round(corner) for corner in corners))

    def _points(self, frame: Frame, box: Any) -> Points:
        shape = self._predict(np.ascontiguousarray(frame), box)
        return np.array([(point.x, point.y) for point in shape.parts()], np.float64)


def face_square(points: Points) -> tuple[tuple[float, float], float]:
    """Return the middle and the side of the square that the detector would draw around a face.

    Its boxes reach from above the brows to the chin, and are about as wide as the jaw.

    Args:
        points: ``(68, 2)``.
    """
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    middle = float(0.5 * (left + right)), float(0.5 * (top + bottom))
    return middle, float(0.5 * ((right - left) + (bottom - top)))


def _predictor_file() -> Path:
    # The package is only looked into, never imported: it wants a setuptools that is no more.
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("face_recognition_models", "faces")
    return Path(spec.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
