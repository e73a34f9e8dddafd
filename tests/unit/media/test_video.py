"""Claims about moving pictures: time is kept, whatever the file's rate, and sound stays where it was heard."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from chorale.core.errors import InputError
from chorale.media.video.frames import read_frames
from chorale.media.video.opening import look_at
from chorale.media.video.sound import read_sound
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit
RATE_HZ = 16000


def grey(level, height=32, width=48):
    return np.full((height, width, 3), level, np.uint8)


def levels(frames):
    return [round(float(frame.mean())) for frame in frames]


def close(found, wanted, by=3):
    return len(found) == len(wanted) and all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def film(path, shown, rate=25, **stream_values):
    """Write frames at given time stamps, in thousandths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *shown[0][1].shape[:2], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in stream_values.items():
            setattr(stream.codec_context, name, value)
        for at_ms, pixels in shown:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def click_film(path, at_s=0.5, duration_s=1.0, rate=25):
    """Write a film whose sound is one click."""
    sound = torch.zeros(round(duration_s * RATE_HZ))
    sound[round(at_s * RATE_HZ) : round(at_s * RATE_HZ) + 16] = 0.9
    per_frame = RATE_HZ // rate
    with writing_video(path, rate, RATE_HZ) as writer:
        for number in range(round(duration_s * rate)):
            writer.add(grey(4 * number), sound[number * per_frame : (number + 1) * per_frame])
    return path


def test_what_is_written_is_read_again_frame_by_frame(tmp_path):
    path = click_film(tmp_path / "film.mp4")
    assert close(levels(read_frames(path, 25)), [4 * number for number in range(25)])
    info = look_at(path)
    assert (info.height, info.width, info.has_sound) == (32, 48, True)
    assert info.frames_per_s == pytest.approx(25) and info.duration_s == pytest.approx(1.0, abs=0.1)


def test_the_same_frames_are_the_same_file(tmp_path):
    paths = [click_film(tmp_path / name) for name in ("one.mp4", "two.mp4")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_video_that_fails_half_way_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), writing_video(tmp_path / "film.mp4", 25) as writer:
        writer.add(grey(3))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_variable_rate_keeps_its_time(tmp_path):
    # Shown from 0, 40, 120 (twice as long) and 400 ms (much longer).
    shown = [(0, grey(0)), (40, grey(60)), (120, grey(120)), (400, grey(180)), (440, grey(240))]
    found = levels(read_frames(film(tmp_path / "film.mkv", shown), 25))
    assert close(found[:11], [0, 60, 60] + [120] * 7 + [180])


def test_another_rate_repeats_or_leaves_out_frames(tmp_path):
    shown = [(round(1000 * number / 12), grey(20 * number)) for number in range(12)]
    found = levels(read_frames(film(tmp_path / "film.mp4", shown, rate=12), 24))
    assert close(found, [20 * (number // 2) for number in range(24)])


def test_jitter_of_time_stamps_changes_nothing(tmp_path):
    shown = [(40 * number + (7 if number % 2 else 0), grey(20 * number)) for number in range(12)]
    assert close(levels(read_frames(film(tmp_path / "film.mkv", shown), 25)), [20 * number for number in range(12)])


def test_a_part_is_the_whole_ones_part(tmp_path):
    path = click_film(tmp_path / "film.mp4", at_s=1.5, duration_s=2.0)
    whole, part = levels(read_frames(path, 25)), levels(read_frames(path, 25, start_s=1.0, end_s=1.6))
    assert close(part, whole[25:40], by=0)
    sound = read_sound(path, RATE_HZ, start_s=1.0, end_s=1.6)
    assert sound.shape == (9600,)
    assert int(sound.abs().argmax()) == pytest.approx(0.5 * RATE_HZ, abs=40)


def test_sound_is_heard_when_it_was(tmp_path):
    sound = read_sound(click_film(tmp_path / "film.mp4"), RATE_HZ)
    assert int(sound.abs().argmax()) == pytest.approx(0.5 * RATE_HZ, abs=40)


def test_sound_that_begins_later_than_the_pictures_is_silent_before(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25)
        pictures.height, pictures.width, pictures.pix_fmt = 32, 48, "yuv420p"
        track = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for _ in range(25):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(grey(9), format="rgb24")))
        container.mux(pictures.encode(None))
        for block in range(5):
            frame = av.AudioFrame.from_ndarray(np.full((1, 1600), 8000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = 4000 + 1600 * block
            container.mux(track.encode(frame))
    sound = read_sound(path, RATE_HZ)
    assert len(sound) == pytest.approx(12000, abs=20)
    assert float(sound[:3900].abs().max()) == 0 and float(sound[4100:].abs().min()) > 0.2


def test_pixels_are_made_square(tmp_path):
    path = film(tmp_path / "film.mp4", [(0, grey(9)), (40, grey(9))], sample_aspect_ratio=Fraction(4, 3))
    assert next(read_frames(path, 25)).shape == (32, 64, 3)


def test_a_film_without_sound_says_so(tmp_path):
    path = film(tmp_path / "film.mp4", [(0, grey(9)), (40, grey(9))])
    assert not look_at(path).has_sound
    with pytest.raises(InputError, match=r"film.mp4: holds no sound"):
        read_sound(path, RATE_HZ)


def test_what_is_no_video_is_told_in_one_line(tmp_path):
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match=r"damaged.mp4: not a readable video"):
        list(read_frames(damaged, 25))
    with pytest.raises(InputError, match="no such file"):
        look_at(tmp_path / "none.mp4")
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        track = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        container.mux(track.encode(frame))
    with pytest.raises(InputError, match=r"sound.wav: holds no pictures"):
        next(read_frames(sound, 25))
