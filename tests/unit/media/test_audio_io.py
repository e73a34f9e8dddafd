from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from chorale.core.errors import InputError
from chorale.media.audio.io import duration_s, read_audio

pytestmark = pytest.mark.unit
RATE = 16000


def tone(seconds: float, rate_hz: int, frequency_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_stereo_recording_at_another_rate_comes_back_as_one_channel_of_the_same_tone(tmp_path: Path, suffix: str):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, np.stack([tone(1, 44100), tone(1, 44100)], axis=1), 44100)
    waveform = read_audio(path, RATE)
    assert waveform.dtype == torch.float32
    assert waveform.shape == (RATE,)
    error = (waveform.numpy() - tone(1, RATE))[1000:-1000]
    assert np.abs(error).max() < 0.05
    assert duration_s(path) == pytest.approx(1.0, abs=0.01)


def test_a_part_is_the_slice_of_the_whole(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(2, RATE), RATE, subtype="FLOAT")
    assert torch.equal(read_audio(path, RATE, 0.5, 1.25), read_audio(path, RATE)[8000:20000])


@pytest.mark.parametrize(("suffix", "codec", "rate"), [(".g722", "g722", 16000), (".m4a", "aac", 16000)])
def test_formats_that_libsndfile_lacks_are_decoded_by_ffmpeg(tmp_path: Path, suffix: str, codec: str, rate: int):
    import av

    path = tmp_path / f"a{suffix}"
    samples = tone(1, rate)
    with av.open(str(path), "w", format="g722" if suffix == ".g722" else "mp4") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        for out in av.AudioResampler(format=stream.format, layout="mono", rate=rate).resample(frame):
            container.mux(stream.encode(out))
        container.mux(stream.encode(None))
    waveform = read_audio(path, RATE).numpy()
    assert duration_s(path) == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(waveform[2000:14000]))
    assert np.argmax(spectrum) * RATE / 12000 == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(waveform[2000:14000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)


def test_a_recording_of_0_samples_is_named_in_one_line(tmp_path: Path):
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0, np.float32), RATE)
    with pytest.raises(InputError, match=r"empty\.wav: holds 0 samples; replace"):
        read_audio(path, RATE)


def test_a_part_behind_the_end_holds_0_samples(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1, RATE), RATE)
    with pytest.raises(InputError, match="holds 0 samples between 3 s and 4 s"):
        read_audio(path, RATE, 3.0, 4.0)


def test_a_text_file_named_wav_is_no_recording(tmp_path: Path):
    path = tmp_path / "text.wav"
    path.write_text("this is not sound\n")
    for read in (lambda: read_audio(path, RATE), lambda: duration_s(path)):
        with pytest.raises(InputError, match=r"text\.wav: not a readable recording") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_text_file_named_m4a_is_no_recording(tmp_path: Path):
    path = tmp_path / "text.m4a"
    path.write_text("this is not sound\n")
    with pytest.raises(InputError, match=r"text\.m4a: not a readable recording"):
        read_audio(path, RATE)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.wav: no such file"):
        read_audio(tmp_path / "gone.wav", RATE)


def test_samples_that_are_not_finite_are_refused(tmp_path: Path):
    samples = tone(1, RATE)
    samples[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match="not finite"):
        read_audio(tmp_path / "nan.wav", RATE)
