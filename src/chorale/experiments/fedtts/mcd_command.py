"""The verb that compares anyone's two recordings: mel-cepstral distortion, pitch, voicing, length."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.experiments.fedtts.metrics.settings import ORDER, WORLD_FRAME_MS
from chorale.runs.contract import Command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chorale.experiments.fedtts.metrics.mcd import Distortion

_KINDS = ("both", "world", "log-mel")
_WINDOW_S = 1024 / 22050
_F_MAX_HZ = 8000.0
_LOWEST_RATE_HZ = 8000


def compare(reference: Path, other: Path, kind: str = "both", order: int = ORDER) -> dict[str, JsonValue]:
    """Return the distortion of two recordings, with the settings it was measured with.

    Args:
        reference: The recording.
        other: What is compared with it.
        kind: ``world`` (envelopes, with pitch and voicing), ``log-mel``, or ``both``.
        order: Highest cepstral coefficient.

    Raises:
        InputError: A file is missing, no recording, too short or silent; the sample rates differ; the order is out
            of range; or pyworld is missing where it is needed.
    """
    if order < 1:
        raise InputError(f"--order {order}: at least 1")
    rate_hz = _shared_rate_hz(reference, other)
    first, second = _read(reference, rate_hz), _read(other, rate_hz)
    result: dict[str, JsonValue] = {
        "reference": str(reference),
        "other": str(other),
        "sample_rate_hz": rate_hz,
        "reference_s": len(first) / rate_hz,
        "other_s": len(second) / rate_hz,
        "duration_ratio": len(second) / len(first),
    }
    if kind != "log-mel":
        result |= _by_world(reference, first, other, second, rate_hz, order)
    if kind != "world":
        result["log_mel"] = _by_log_mel(reference, first, other, second, rate_hz, order)
    return result


def mcd_command() -> Command:
    """Return the verb ``chorale fedtts mcd``."""
    return Command(
        name="mcd",
        help="mel-cepstral distortion, pitch and voicing errors between two recordings of the same words",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            "chorale fedtts mcd recording.wav spoken.wav",
            "chorale fedtts mcd recording.wav spoken.wav --kind log-mel --order 13 --json",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", type=Path, metavar="A.wav", help="the recording")
    parser.add_argument("other", type=Path, metavar="B.wav", help="what is compared with it, at the same sample rate")
    parser.add_argument(
        "--kind",
        choices=_KINDS,
        default="both",
        help="world: spectral envelopes, and pitch; log-mel: no analysis in between (default: %(default)s)",
    )
    parser.add_argument(
        "--order", type=int, default=ORDER, metavar="D", help="highest cepstral coefficient (default: %(default)s)"
    )


def _run(arguments: argparse.Namespace) -> JsonValue:
    return compare(arguments.reference, arguments.other, arguments.kind, arguments.order)


def _render(value: Any) -> str:
    lines = [
        f"{value['reference']}: {value['reference_s']:.2f} s",
        f"{value['other']}: {value['other_s']:.2f} s, {value['duration_ratio']:.3f} of it",
    ]
    for key, name in (("world", "MCD, WORLD"), ("log_mel", "MCD, log mel")):
        if key in value:
            used = value[key]["settings"]
            warped = "" if used["alpha"] is None else f", alpha {used['alpha']:g}"
            lines.append(
                f"{name:<13} {value[key]['mcd_db']:7.3f} dB  "
                f"(order {used['order']}, without c0{warped}, frames of {used['frame_ms']:.3g} ms, DTW)"
            )
    if "f0" in value:
        rmse = value["f0"]["log_f0_rmse"]
        lines.append(f"log F0 RMSE   {'nowhere voiced in both' if rmse is None else format(rmse, '7.4f')}")
        lines.append(f"V/UV error    {100 * value['f0']['voicing_error']:7.2f} %")
    return "\n".join(lines)


def _by_world(
    reference: Path, first: NDArray[np.float32], other: Path, second: NDArray[np.float32], rate_hz: int, order: int
) -> dict[str, JsonValue]:
    from chorale.experiments.fedtts.metrics.f0 import f0_error
    from chorale.experiments.fedtts.metrics.mcd import world_distortion
    from chorale.media.audio.pitch import analyse

    analyses = []
    for path, samples in ((reference, first), (other, second)):
        try:
            analyses.append(analyse(samples, rate_hz, WORLD_FRAME_MS))
        except InputError as error:
            raise InputError(f"{path}: {error.what}", error.remedy) from error
    measured = world_distortion(analyses[0], analyses[1], order)
    pitch = f0_error(analyses[0].f0_hz, analyses[1].f0_hz, measured.path)
    return {"world": _to_json(measured), "f0": dict(pitch._asdict())}


def _by_log_mel(
    reference: Path, first: NDArray[np.float32], other: Path, second: NDArray[np.float32], rate_hz: int, order: int
) -> dict[str, JsonValue]:
    import torch

    from chorale.experiments.fedtts.metrics.mcd import log_mel_distortion
    from chorale.media.audio.config import MelConfig
    from chorale.media.audio.mel import log_mel

    # The window of LJSpeech's convention, 46 ms, as the power of two that comes nearest at this rate.
    n_fft = 2 ** round(math.log2(rate_hz * _WINDOW_S))
    config = MelConfig(
        sample_rate_hz=rate_hz, n_fft=n_fft, hop=n_fft // 4, f_max_hz=min(_F_MAX_HZ, rate_hz / 2), trim_db=None
    )
    mels = []
    for path, samples in ((reference, first), (other, second)):
        try:
            mels.append(log_mel(torch.from_numpy(samples), config).numpy())
        except InputError as error:
            raise InputError(f"{path}: {error.what}", error.remedy) from error
    measured = log_mel_distortion(mels[0], mels[1], 1000.0 * config.hop / rate_hz, order)
    used: dict[str, JsonValue] = config.model_dump(include={"n_fft", "hop", "n_mels", "f_min_hz", "f_max_hz", "floor"})
    return {**_to_json(measured), "mel": used}


def _to_json(measured: Distortion) -> dict[str, JsonValue]:
    return {
        "mcd_db": measured.db,
        "db_per_reference_frame": measured.db_per_frame,
        "settings": measured.settings.to_json(),
    }


def _shared_rate_hz(reference: Path, other: Path) -> int:
    rates = [_rate_hz(path) for path in (reference, other)]
    if rates[0] != rates[1]:
        raise InputError(
            f"{reference} is at {rates[0]} Hz and {other} at {rates[1]} Hz",
            f"resample one of them, for example: ffmpeg -i {other} -ar {rates[0]} resampled.wav",
        )
    if rates[0] < _LOWEST_RATE_HZ:
        raise InputError(f"{reference} is at {rates[0]} Hz", f"speech needs at least {_LOWEST_RATE_HZ} Hz")
    return rates[0]


def _rate_hz(path: Path) -> int:
    import soundfile

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return int(soundfile.info(str(path)).samplerate)
    except (soundfile.SoundFileError, OSError) as error:
        raise InputError(f"{path}: not a readable recording", "give a wav, flac, ogg or mp3 file") from error


def _read(path: Path, rate_hz: int) -> NDArray[np.float32]:
    from chorale.media.audio.io import read_audio

    return read_audio(path, rate_hz).numpy()
