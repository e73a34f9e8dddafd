"""Recordings in: any format that libsndfile or FFmpeg reads, as one float32 channel at the wanted rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from chorale.core.errors import InputError
from chorale.media.audio.backend import import_torchaudio

FloatArray = npt.NDArray[np.float32]

# Formats that libsndfile does not read and FFmpeg (through PyAV) does. G.722 and GSM files are bare streams without a
# header: FFmpeg must be told by name what they are.
_FFMPEG_FORMATS: dict[str, str | None] = {".g722": "g722", ".gsm": "gsm", ".m4a": None, ".mp4": None, ".aac": None}
_BARE_STREAM_BYTES_PER_S = {".g722": 8000.0, ".gsm": 33 / 0.020}

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".au", *_FFMPEG_FORMATS})
"""Names that corpus readers take for recordings."""


def read_audio(path: Path, sample_rate_hz: int, start_s: float = 0.0, end_s: float | None = None) -> torch.Tensor:
    """Read a recording, or a part of it.

    Args:
        path: A file that soundfile reads (wav, flac, ogg, mp3 ...), or ``.g722``, ``.gsm``, ``.m4a``, ``.mp4``,
            ``.aac``.
        sample_rate_hz: The rate wanted; resampled by a windowed sinc (torchaudio's default) where it differs.
        start_s: First second of the part.
        end_s: Where the part ends; None for the recording's end.

    Returns:
        Waveform in [-1, 1], float32, shape ``(samples,)``; several channels are averaged.

    Raises:
        InputError: The file is missing, is no recording, has no samples in the part, or a sample is not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    decode = _decode_ffmpeg if path.suffix.lower() in _FFMPEG_FORMATS else _decode_sndfile
    samples, rate_hz = decode(path, start_s, end_s)
    if samples.size == 0:
        end = "the end" if end_s is None else f"{end_s:g} s"
        part = "" if start_s == 0 and end_s is None else f" between {start_s:g} s and {end}"
        raise InputError(f"{path}: holds 0 samples{part}", "replace or remove the recording")
    return waveform_at(sample_rate_hz, samples, rate_hz, path)


def waveform_at(sample_rate_hz: int, samples: FloatArray, rate_hz: int, path: Path) -> torch.Tensor:
    """Return samples as a waveform of the wanted rate.

    Args:
        sample_rate_hz: The rate wanted; resampled by a windowed sinc (torchaudio's default) where it differs.
        samples: ``(samples,)``.
        rate_hz: Their rate.
        path: Where they were read, for the error.

    Raises:
        InputError: A sample is not finite.
    """
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: holds samples that are not finite", "replace or remove the file")
    waveform = torch.from_numpy(samples)
    if rate_hz == sample_rate_hz:
        return waveform
    resampled: torch.Tensor = import_torchaudio("torchaudio.functional").resample(waveform, rate_hz, sample_rate_hz)
    return resampled


def duration_s(path: Path) -> float:
    """Return a recording's length in seconds from its header or size, without decoding it where that is possible.

    Raises:
        InputError: The file is missing or is no recording.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if suffix in _BARE_STREAM_BYTES_PER_S:
        return path.stat().st_size / _BARE_STREAM_BYTES_PER_S[suffix]
    if suffix in _FFMPEG_FORMATS:
        samples, rate_hz = _decode_ffmpeg(path, 0.0, None)
        return samples.size / rate_hz
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error
    return float(info.frames / info.samplerate)


def _decode_sndfile(path: Path, start_s: float, end_s: float | None) -> tuple[FloatArray, int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate_hz: int = file.samplerate
            first = min(round(start_s * rate_hz), file.frames)
            count = -1 if end_s is None else max(round(end_s * rate_hz) - first, 0)
            # libsndfile reports an error for a seek in an empty file.
            if first:
                file.seek(first)
            channels = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error
    return channels.mean(axis=1, dtype=np.float32), rate_hz


def _decode_ffmpeg(path: Path, start_s: float, end_s: float | None) -> tuple[FloatArray, int]:
    import av

    try:
        with av.open(str(path), format=_FFMPEG_FORMATS[path.suffix.lower()]) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: holds no sound", "replace or remove the recording")
            rate_hz = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="flt", layout="mono")
            blocks = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from error
    samples = np.concatenate(blocks).astype(np.float32, copy=False) if blocks else np.zeros(0, np.float32)
    last = None if end_s is None else round(end_s * rate_hz)
    return samples[round(start_s * rate_hz) : last], rate_hz


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error).strip().rstrip(".")
    return InputError(f"{path}: not a readable recording ({reason})", "replace or remove the file")
