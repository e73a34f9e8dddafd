"""Claims about faces: found where they are, and still in the result however they move in the source."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from chorale.media.faces.alignment import Crop, Placement, cropped, placement, smoothed, stable_points

pytestmark = pytest.mark.unit
CROP = Crop(128, 96)


def mean_face():
    """Return three stable points as the result has them."""
    apart = 0.4 * 96
    return np.array([(48 - apart / 2, 0.38 * 128), (48 + apart / 2, 0.38 * 128), (48, 0.38 * 128 + 0.72 * apart)])


def moved(points, scale, degrees, shift):
    turn = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ matrix.T + shift


def astronaut():
    return pytest.importorskip("skimage.data").astronaut()


def test_the_mean_face_stays_where_it_is():
    assert placement(mean_face(), CROP) == pytest.approx(Placement(1.0, 0.0, 0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    "scale, degrees, shift", [(3.0, 0.0, (100, 50)), (0.7, 20.0, (5, -9)), (2.0, -35.0, (300, 200))]
)
def test_a_face_that_is_elsewhere_larger_and_turned_comes_back(scale, degrees, shift):
    points = moved(mean_face(), scale, degrees, shift)
    placed = placement(points, CROP)
    assert placed.scale == pytest.approx(1 / scale)
    assert placed.apply(points) == pytest.approx(mean_face())


def test_three_points_in_one_have_no_placement():
    with pytest.raises(ValueError, match="three points"):
        placement(np.ones((3, 2)), CROP)


def test_smoothing_is_a_mean_over_what_is_there():
    line = np.arange(10.0)[:, np.newaxis, np.newaxis] * np.ones((10, 3, 2))
    assert smoothed(line)[:, 0, 0] == pytest.approx([1.5, 2, 2.5, 3, 4, 5, 6, 6.5, 7, 7.5])


def test_speaking_moves_no_stable_point():
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    spoken = points.copy()
    spoken[48:] += 9
    spoken[:17] -= 5
    assert (stable_points(spoken) == stable_points(points)).all()


@pytest.mark.parametrize("scale", [1.0, 4.0, 0.5])
def test_pixels_go_where_points_go(scale):
    # A bright square around each stable point of a face that is elsewhere is around the mean face's in the result.
    points = moved(mean_face(), scale, 10.0, (60, 40))
    frame = np.zeros((640, 560, 3), np.uint8)
    reach = max(2, round(3 * scale))
    for x, y in np.rint(points).astype(int):
        frame[y - reach : y + reach + 1, x - reach : x + reach + 1] = 255
    placed = placement(points, CROP)
    result = cropped(frame, placed, CROP)
    assert result.shape == (128, 96, 3)
    for x, y in placed.apply(np.rint(points)):
        column, row = round(x), round(y)
        around = result[row - 8 : row + 9, column - 8 : column + 9, 0].astype(float)
        rows, columns = np.mgrid[-8:9, -8:9]
        assert (around * columns).sum() / around.sum() == pytest.approx(x - column, abs=0.1)
        assert (around * rows).sum() / around.sum() == pytest.approx(y - row, abs=0.1)


def test_a_face_is_found_and_stands_where_the_mean_face_does():
    pytest.importorskip("dlib")
    from chorale.media.faces.finder import FaceFinder

    finder, frame = FaceFinder(), astronaut()
    found = finder.find(frame)
    assert found is not None and found.score > 1 and 80 < found.width < 200
    large = Crop(256, 192)
    again = finder.find(cropped(frame, placement(stable_points(found.points), large), large))
    assert again is not None
    assert stable_points(again.points) == pytest.approx(2 * mean_face(), abs=6)
    near = finder.find_near(frame, found.points)
    assert near is not None and np.linalg.norm(near.points - found.points, axis=1).mean() < 0.05 * found.width
    assert finder.find(load_sample_image("flower.jpg")) is None
