"""Claims about prepared clips: a face stands still with its sound, and a clip that is not fit says why."""

import resource
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from chorale.core.config import changed
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.faces.config import FacesConfig, QualityConfig, TrackConfig
from chorale.data.faces.prepare import prepare_clip
from chorale.media.faces.alignment import stable_points
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit
RATE_HZ = 16000
CONFIG = FacesConfig(
    height=64,
    width=48,
    track=TrackConfig(smallest_px=60),
    quality=QualityConfig(min_s=0.4, max_s=2.0, max_offset_s=None),
)


@pytest.fixture(scope="module")
def finder():
    pytest.importorskip("dlib")
    from chorale.media.faces.finder import FaceFinder

    return FaceFinder()


@pytest.fixture(scope="module")
def face():
    """A picture of a face about 80 pixels wide, 208 x 208."""
    whole = pytest.importorskip("skimage.data").astronaut()
    return Image.fromarray(whole[10:250, 105:345]).resize((208, 208), Image.Resampling.LANCZOS)


def still(picture, count=16):
    return [np.asarray(picture)] * count


def hiss(seconds, rate_hz=RATE_HZ):
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(round(seconds * rate_hz), generator=generator)


def film(path, frames, sound_s=None, rate=25):
    """Write frames with as much hiss as they last, or as is said."""
    sound = hiss(len(frames) / rate if sound_s is None else sound_s)
    per_frame = RATE_HZ // rate
    with writing_video(path, rate, RATE_HZ if len(sound) else None) as writer:
        for at, frame in enumerate(frames):
            last = at == len(frames) - 1
            writer.add(frame, sound[at * per_frame : None if last else (at + 1) * per_frame])
    return path


def timed_film(path, shown, sound_s, rate_hz=RATE_HZ):
    """Write frames at time stamps in thousandths of a second, with uncompressed hiss."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25, options={"threads": "1"})
        pictures.height, pictures.width, pictures.pix_fmt = *shown[0][1].shape[:2], "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        track = container.add_stream("pcm_s16le", rate=rate_hz, layout="mono")
        samples = (hiss(sound_s, rate_hz).clamp(-1, 1) * 32767).to(torch.int16).numpy()[np.newaxis]
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = rate_hz, 0, Fraction(1, rate_hz)
        container.mux(track.encode(block))
        for at_ms, pixels in shown:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
    return path


def prepared(path, finder, config=CONFIG, **values):
    return prepare_clip(TalkingClip("key", "ann", path, emotion="happy", **values), config, finder)


def with_quality(**values):
    return changed(CONFIG, quality=changed(CONFIG.quality, **values))


def test_a_kept_clip_has_frames_sound_and_landmarks_of_one_length(tmp_path, finder, face):
    result = prepared(film(tmp_path / "film.mp4", still(face)), finder)
    assert result.report.kept and result.report.emotion == "happy"
    frames, waveform, landmarks = result.clip
    assert (frames.shape, frames.dtype) == ((16, 64, 48, 3), np.uint8)
    assert (waveform.shape, waveform.dtype) == ((16 * 640,), np.float32)
    assert (landmarks.shape, landmarks.dtype) == ((16, 68, 2), np.float32)
    assert 0.05 < waveform.std() < 0.15
    # Mouth and eyes are within the frame, the mouth below the eyes.
    assert (landmarks[:, 36:] > 0).all() and (landmarks[:, 36:] < (48, 64)).all()
    assert landmarks[:, 48:, 1].min() > landmarks[:, 36:48, 1].max()
    facts = result.report.facts
    assert (facts["frames"], facts["seconds"], facts["unseen"]) == (16, 0.64, 0)
    assert 60 < facts["face_px"] < 100 and facts["turn"] < 0.4


def test_eyes_and_nose_land_on_the_mean_face_to_a_fraction_of_a_pixel(tmp_path, finder, face):
    clip = prepared(film(tmp_path / "film.mp4", still(face)), finder).clip
    left, right, nose = stable_points(clip.landmarks.astype(float)).mean(axis=0)
    apart, middle = 0.4 * 48, (24, 0.38 * 64)
    # A similarity cannot give a face the mean face's proportions; it puts the middle of all three where theirs is.
    wanted = np.array([(-0.5, 0), (0.5, 0), (0, 0.72)]) * apart + middle
    assert np.mean([left, right, nose], axis=0) == pytest.approx(wanted.mean(axis=0), abs=0.3)
    assert left[1] == pytest.approx(right[1], abs=1.0)
    assert right[0] - left[0] == pytest.approx(apart, abs=0.15 * apart)


def test_a_clip_that_was_shaken_comes_out_still(tmp_path, finder, face):
    times = np.arange(24)
    shifts = 20 * np.sin(2 * np.pi * times / 60), 14 * np.cos(2 * np.pi * times / 45)
    wide = Image.new("RGB", (264, 248), (90, 90, 90))
    wide.paste(face, (28, 20))
    frames = [
        np.asarray(wide.transform(wide.size, Image.Transform.AFFINE, (1, 0, -x, 0, 1, -y), Image.Resampling.BICUBIC))
        for x, y in zip(*shifts, strict=True)
    ]
    clip = prepared(film(tmp_path / "film.mp4", frames), finder).clip
    # At the ends the mean is over one side alone, and a movement is met half-way.
    stable = stable_points(clip.landmarks.astype(float))[3:-3]
    # Left as it was, it would move by 6 pixels of the result.
    assert np.ptp(shifts[0]) == pytest.approx(20, abs=0.1) and stable.std(axis=0).max() < 0.5
    inner = clip.frames[3:-3, 12:52, 8:40].astype(float)
    assert np.abs(inner - inner.mean(axis=0)).mean() < 4 < np.abs(np.diff(frames, axis=0)[:, 40:-40, 60:-60]).mean()


def test_a_clip_without_a_face_says_so(tmp_path, finder):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)).resize((128, 128))
    result = prepared(film(tmp_path / "film.mp4", still(noise)), finder)
    assert (result.clip, result.report.reason) == (None, "no face")
    assert result.report.detail == "in 100% of 16 frames, more than 10%"
    assert result.picture is not None


def test_a_face_that_is_too_small_or_only_there_at_times_is_dropped(tmp_path, finder, face):
    path = film(tmp_path / "film.mp4", still(face))
    assert prepared(path, finder, with_quality(min_face_px=120)).report.reason == "face too small"
    empty = np.full((208, 208, 3), 120, np.uint8)
    part = prepared(film(tmp_path / "part.mp4", still(face, 10) + still(empty, 6)), finder)
    assert part.report.reason == "no face"


def test_two_shots_in_one_clip_are_told_with_their_time(tmp_path, finder, face):
    mirrored = np.asarray(face)[:, ::-1]
    result = prepared(film(tmp_path / "film.mp4", still(face, 12) + still(mirrored, 6)), finder)
    assert result.report.reason == "several shots"
    assert result.report.detail == "2: a cut at 0.48 s"
    assert result.report.facts["parts"] == [[0.0, 0.48]]


def test_a_brighter_or_darker_picture_is_no_cut(tmp_path, finder, face):
    dark = (np.asarray(face) * 0.6).astype(np.uint8)
    assert prepared(film(tmp_path / "film.mp4", still(face, 8) + still(dark, 8)), finder).report.kept


@pytest.mark.parametrize("sound_s, reason", [(0.0, "no sound"), (0.42, "sound too short"), (1.6, "pictures too short")])
def test_sound_that_is_missing_or_of_another_length_is_told(tmp_path, finder, face, sound_s, reason):
    path = film(tmp_path / "film.mp4", still(face, 20), sound_s)
    assert prepared(path, finder).report.reason == reason


def test_sound_that_is_a_little_shorter_shortens_the_pictures(tmp_path, finder, face):
    result = prepared(timed_film(tmp_path / "film.mkv", [(40 * n, np.asarray(face)) for n in range(20)], 0.7), finder)
    assert len(result.clip.frames) == 17 and len(result.clip.waveform) == 17 * 640


def test_a_silent_recording_is_told(tmp_path, finder, face):
    path = film(tmp_path / "film.mp4", still(face), sound_s=0)
    with wave.open(str(tmp_path / "silent.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE_HZ))
    result = prepared(path, finder, audio=tmp_path / "silent.wav")
    assert result.report.reason == "silent" and "dBFS" in result.report.detail


def test_a_variable_frame_rate_and_8_khz_are_brought_to_25_and_16_khz(tmp_path, finder, face):
    pixels = np.asarray(face)
    shown = [(at_ms, pixels) for at_ms in (0, 30, 110, 290, 333, 500, 560, 600)]
    result = prepared(timed_film(tmp_path / "film.mkv", shown, 0.7, rate_hz=8000), finder)
    # The last frame lasts as long as the file's own rate says.
    assert result.report.kept and 16 <= len(result.clip.frames) <= 17
    assert len(result.clip.waveform) == 640 * len(result.clip.frames)
    spectrum = np.abs(np.fft.rfft(result.clip.waveform))
    assert spectrum[len(spectrum) * 11 // 20 :].mean() < 0.1 * spectrum[: len(spectrum) // 2].mean()


def test_a_damaged_file_is_one_line_of_the_report(tmp_path, finder, face):
    whole = film(tmp_path / "film.mp4", still(face, 40)).read_bytes()
    damaged = {"empty": b"", "text": b"not a film at all", "half": whole[: len(whole) // 2], "head": whole[:300]}
    damaged["holes"] = whole[:2000] + bytes(len(whole) - 4000) + whole[-2000:]
    for name, content in damaged.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        report = prepared(path, finder).report
        assert report.reason is not None, name
        assert report.detail and "\n" not in report.detail
    missing = prepared(tmp_path / "none.mp4", finder).report
    assert (missing.reason, missing.detail) == ("unreadable", f"{tmp_path / 'none.mp4'}: no such file")


def test_of_a_very_long_file_the_begin_is_read_and_no_more(tmp_path, finder, face):
    pixels = np.asarray(face)
    ten_hours_ms = 36_000_000
    shown = [(0, pixels), (40, pixels), (ten_hours_ms, pixels)]
    path = timed_film(tmp_path / "long.mkv", shown, 3.0)
    with (tmp_path / "long.wav").open("wb") as file:
        writer = wave.open(file, "wb")  # noqa: SIM115 (closing it would mend the header)
        writer.setparams((1, 2, RATE_HZ, 36_000 * RATE_HZ, "NONE", ""))
        writer.writeframesraw((hiss(5) * 32767).to(torch.int16).numpy().tobytes())
        file.flush()
        file.truncate(44 + 2 * 36_000 * RATE_HZ)
        writer._file = None
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for audio in (None, tmp_path / "long.wav"):
        result = prepared(path, finder, with_quality(max_s=0.6), audio=audio)
        assert result.report.kept, result.report.detail
        assert len(result.clip.frames) == 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 300_000
    report = prepared(path, finder, with_quality(longer="drop")).report
    assert (report.reason, report.detail) == ("too long", "36000.0 s, over 2 s")


def test_a_part_is_prepared_as_the_whole_is(tmp_path, finder, face):
    levels = np.linspace(0.7, 1.0, 24)
    frames = [(np.asarray(face) * level).astype(np.uint8) for level in levels]
    path = film(tmp_path / "film.mp4", frames)
    part = prepared(path, finder, start_s=0.2, end_s=0.8).clip
    whole = prepared(path, finder).clip
    assert len(part.frames) == 15 and len(whole.frames) == 24
    assert np.abs(part.frames.astype(float) - whole.frames[5:20]).mean() < 3
    assert np.abs(part.waveform - whole.waveform[5 * 640 : 20 * 640]).max() < 1e-3
