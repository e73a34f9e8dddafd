"""Claims about measures of video, each against a case by hand or another implementation."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from chorale.experiments.speech2video.metrics.landmarks import landmark_distance
from chorale.experiments.speech2video.metrics.pictures import psnr, ssim
from chorale.experiments.speech2video.metrics.sharpness import cpbd
from chorale.media.faces.lips import lip_aperture

pytestmark = pytest.mark.unit


def photograph():
    return load_sample_image("china.jpg")[100:228, 200:296]


def noise(seed, shape=(128, 96, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def disturbed(frame):
    return np.clip(frame.astype(int) + np.random.default_rng(3).integers(-20, 21, frame.shape), 0, 255).astype(np.uint8)


def ramp(width, low=0, high=255):
    """Return a frame of two plains with a slope of so many pixels between."""
    row = np.interp(np.arange(64), [30, 30 + width], [low, high])
    return np.repeat(np.rint(np.tile(row, (64, 1)))[..., np.newaxis], 3, axis=2).astype(np.uint8)


def faces(frames=4, seed=0):
    return np.random.default_rng(seed).uniform(20, 80, (frames, 68, 2))


def test_psnr_by_hand():
    frame = np.full((8, 8, 3), 0.5)
    assert psnr(frame, frame + 0.1) == pytest.approx(20.0)
    assert psnr(frame, frame) == math.inf


def test_bytes_do_not_wrap():
    # Two independent uniform frames: a mean square of 1/6, so 7.8 dB; differences of bytes would read 27.9.
    assert psnr(noise(1), noise(2)) == pytest.approx(10 * math.log10(6), abs=0.1)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_and_bytes_are_measured_alike(measure, kind):
    frame, real = disturbed(photograph()), photograph()
    as_floats = measure(frame.astype(kind) / kind(255), real.astype(kind) / kind(255))
    assert as_floats == pytest.approx(measure(frame, real), abs=1e-5)


@pytest.mark.parametrize("frame, real", [(noise(1), noise(2)), (disturbed(photograph()), photograph())])
def test_psnr_and_ssim_are_scikit_images(frame, real):
    metrics = pytest.importorskip("skimage.metrics")
    assert psnr(frame, real) == pytest.approx(metrics.peak_signal_noise_ratio(real, frame), abs=1e-6)
    theirs = metrics.structural_similarity(
        real / 255, frame / 255, channel_axis=-1, data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert ssim(frame, real) == pytest.approx(theirs, abs=1e-6)


def test_ssim_by_hand():
    # Constant frames have no variance: what is left is (2ab + c1) / (a² + b² + c1).
    dark, bright = np.full((16, 16, 1), 0.2), np.full((16, 16, 1), 0.6)
    assert ssim(dark, bright) == pytest.approx((0.24 + 1e-4) / (0.4 + 1e-4))
    assert ssim(photograph(), photograph()) == pytest.approx(1.0)


def test_frames_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="two frames"):
        psnr(noise(1), noise(2, (64, 96, 3)))
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(noise(1, (8, 8, 3)), noise(2, (8, 8, 3)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        psnr(np.full((16, 16, 3), 2.0), np.full((16, 16, 3), 1.0))


@pytest.mark.parametrize(
    "frame, share",
    [
        (ramp(1), 1.0),  # 1 - exp(-(1/3)^3.6) = 0.02
        (ramp(3), 1.0),  # 1 - exp(-1) = 0.63, which just passes
        (ramp(4), 0.0),  # 1 - exp(-(4/3)^3.6) = 0.94
        (ramp(4, 100, 140), 1.0),  # at low contrast 5 pixels are not noticed: 1 - exp(-(4/5)^3.6) = 0.36
        (ramp(7, 100, 140), 0.0),
    ],
)
def test_sharpness_of_one_slope(frame, share):
    assert cpbd(frame) == share


def test_a_blurred_photograph_is_less_sharp():
    sharp = load_sample_image("china.jpg")[:256, :256]
    blurred = (
        np.stack([sharp[:, shift : shift + 240].astype(float) for shift in range(9)]).mean(axis=0).astype(np.uint8)
    )
    assert cpbd(sharp) > 0.3 > 0.1 > cpbd(blurred)


def test_a_frame_without_edges_has_no_sharpness():
    assert cpbd(np.full((128, 96, 3), 90, np.uint8)) is None
    assert cpbd(photograph()[:40]) is None


def test_the_distance_of_mouths_by_hand():
    points = faces()
    moved = points.copy()
    moved[:, 48:] += (5.0, -3.0)
    assert landmark_distance(moved, points) == pytest.approx(0.0, abs=1e-12)
    # One of 20 points goes 20 pixels to the right: the centre goes 1, so it is 19 away and the others 1.
    moved[:, 48, 0] += 20
    assert landmark_distance(moved, points) == pytest.approx((19 + 19 * 1) / 20)


def test_aperture_is_in_distances_between_the_eyes():
    points = np.zeros((1, 68, 2))
    points[0, 45] = (80.0, 0.0)
    points[0, [65, 66, 67]] = (0.0, 20.0)
    assert lip_aperture(points) == pytest.approx([0.25])
    assert lip_aperture(3 * points) == pytest.approx([0.25])


def test_points_kept_as_bytes_do_not_wrap():
    points = np.zeros((1, 68, 2), np.uint8)
    points[0, 45] = (80, 0)
    points[0, [61, 62, 63]] = (0, 20)  # The upper lip below the lower one: a difference of -20.
    assert lip_aperture(points) == pytest.approx([0.25])
    moved = points.copy()
    moved[0, 48] = (20, 0)
    assert landmark_distance(points, moved) == pytest.approx(38 / 20)
    assert landmark_distance(points, moved) == landmark_distance(points.astype(float), moved.astype(float))


def test_points_of_other_videos_are_refused():
    with pytest.raises(ValueError, match="frames, 68, 2"):
        landmark_distance(faces(4), faces(5))
    with pytest.raises(ValueError, match="frames, 68, 2"):
        landmark_distance(faces()[:, :20], faces()[:, :20])


def test_sharpness_of_floats_is_that_of_bytes():
    frame = load_sample_image("china.jpg")[:128, :128]
    assert cpbd(frame / 255) == cpbd(frame)
