"""Faces and their 68 points, found by dlib: gradients in a window that slides, then a cascade of regression trees."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import MissingExtraError
from chorale.media.video.frames import Frame

Points = NDArray[np.float64]
"""``(68, 2)``: x and y in pixels, in iBUG's order (Sagonas et al. 2013)."""

_SMALLEST = 80  # Pixels of the detector's window: smaller faces are not found.


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
        doublings = max(0, int(np.ceil(np.log2(_SMALLEST / smallest))))
        boxes, scores, _ = self._detect.run(np.ascontiguousarray(frame), doublings, 0.0)
        if not boxes:
            return None
        box, score = max(zip(boxes, scores, strict=True), key=lambda one: one[0].width())
        return Found(self._points(frame, box), float(box.width()), float(score))

    def follow(self, frame: Frame, before: Points) -> Points:
        """Return the points of a face that was at ``before`` in the frame before, without looking for it.

        Args:
            frame: ``(height, width, 3)`` uint8.
            before: Its points then.
        """
        (left, top), (right, bottom) = before.min(axis=0), before.max(axis=0)
        # The detector's boxes are squares: from above the brows to the chin, about as wide as the jaw.
        side = 0.5 * ((right - left) + (bottom - top))
        middle = 0.5 * (left + right), 0.5 * (top + bottom)
        corners = (middle[0] - side / 2, middle[1] - side / 2, middle[0] + side / 2, middle[1] + side / 2)
        return self._points(frame, self._dlib.rectangle(*(round(corner) for corner in corners)))

    def _points(self, frame: Frame, box: Any) -> Points:
        shape = self._predict(np.ascontiguousarray(frame), box)
        return np.array([(point.x, point.y) for point in shape.parts()], np.float64)


def _predictor_file() -> Path:
    # The package is only looked into, never imported: it wants a setuptools that is no more.
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("face_recognition_models", "faces")
    return Path(spec.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
