import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chorale.core.errors import InputError
from chorale.media.image.io import read_image

pytestmark = pytest.mark.unit
COLOURS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 10
"""``(height, width, channels)``."""


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def test_an_image_has_its_channels_first_and_its_values_unchanged(tmp_path: Path):
    image = read_image(save(tmp_path / "a.png", COLOURS), channels=3)
    assert image.dtype == np.uint8
    assert image.shape == (3, 2, 4)
    assert np.array_equal(image, COLOURS.transpose(2, 0, 1))


def test_brightness_is_the_luma_of_itu_r_601(tmp_path: Path):
    image = read_image(save(tmp_path / "a.bmp", COLOURS), channels=1)
    assert image.shape == (1, 2, 4)
    assert np.abs(image[0] - COLOURS @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-2


def test_a_grey_image_read_in_colour_has_three_equal_channels(tmp_path: Path):
    image = read_image(save(tmp_path / "a.png", COLOURS[:, :, 0]), channels=3)
    assert [np.array_equal(channel, COLOURS[:, :, 0]) for channel in image] == [True] * 3


def test_the_middle_is_cut_out_where_the_shorter_side_fits_already(tmp_path: Path):
    path = save(tmp_path / "wide.png", COLOURS)
    assert np.array_equal(read_image(path, 3, size=2), COLOURS[:, 1:3].transpose(2, 0, 1))
    path = save(tmp_path / "high.png", COLOURS.transpose(1, 0, 2))
    assert np.array_equal(read_image(path, 3, size=2), COLOURS.transpose(1, 0, 2)[1:3].transpose(2, 0, 1))


def test_scaling_keeps_the_proportions_and_averages(tmp_path: Path):
    pixels = np.zeros((64, 128), np.uint8)
    pixels[:, 32:64], pixels[:, 64:96] = 40, 200
    pixels[::2, 32:96] += 20
    image = read_image(save(tmp_path / "a.png", pixels), 1, size=16)[0].astype(int)
    assert image.shape == (16, 16)
    # The dark quarters at both ends are gone, and two lines of 20 more and none more are one of 10 more.
    assert np.abs(image[:, 3:6] - 50).max() <= 2
    assert np.abs(image[:, 10:13] - 210).max() <= 2
    assert image[:, 0].min() > 20


def test_a_photograph_is_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    image = read_image(save(tmp_path / "a.jpg", pixels, exif=exif, quality=95), 3)
    assert image.shape == (3, 32, 16)
    assert image[:, :12].min() > 200
    assert image[:, 20:].max() < 50


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
def test_a_damaged_image_is_named_in_one_line(tmp_path: Path, suffix: str):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:10], b"", b"not an image"):
        path.write_bytes(damaged)
        with pytest.raises(
            InputError, match=rf"a\.{suffix}: not a readable image \(.+\); replace or remove it"
        ) as caught:
            read_image(path, 3)
        assert str(caught.value).count(str(path)) == 1
        assert "\n" not in str(caught.value)


def test_a_missing_image_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        read_image(tmp_path / "a.png", 3)


def test_sixteen_bits_a_channel_are_refused_and_not_clipped(tmp_path: Path):
    path = save(tmp_path / "deep.png", np.full((2, 2), 1000, np.uint16))
    with pytest.raises(InputError, match=r"deep\.png: more than 8 bits a channel; save the image with 8 bits"):
        read_image(path, 1)


def test_a_format_that_needs_another_program_is_refused_whatever_it_is_called(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(COLOURS).save(path, format="EPS")
    with pytest.raises(InputError, match=r"a\.png: not a readable image"):
        read_image(path, 3)


def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(tmp_path: Path):
    path = save(tmp_path / "bomb.bmp", COLOURS)
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<ii", 100_000, 100_000)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bomb\.bmp: not a readable image \(Image size"):
        read_image(path, 3)
