"""From a log mel spectrogram back to sound: Griffin-Lim, or a neural vocoder that the user names."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch

from chorale.core.errors import InputError
from chorale.core.seeds import seed_for
from chorale.media.audio.backend import import_torchaudio
from chorale.media.audio.config import MelConfig
from chorale.media.audio.mel import mel_filters

Vocoder = Callable[[torch.Tensor, int], torch.Tensor]
"""``(log mel (frames, n_mels), sample_rate_hz) -> waveform (samples,)``."""

_MOMENTUM = 0.99
"""Of fast Griffin-Lim, as Perraudin, Balazs and Sondergaard 2013 recommend."""
_REFINEMENTS = 50
"""Multiplicative steps towards the non-negative least squares solution; more change what is heard no further."""
_TINY = 1e-8


def mel_to_magnitude(mel: torch.Tensor, config: MelConfig) -> torch.Tensor:
    """Return magnitudes of which ``mel`` is (nearly) the mel spectrogram.

    Minimises |X F - M|^2 over X >= 0 for the filters F: from the pseudo-inverse, clamped, by the multiplicative rule
    X <- X (M F') / (X F F') of Lee and Seung 2001, which never increases it.

    Args:
        mel: Natural logarithms, ``(frames, n_mels)``.
        config: That made it.

    Returns:
        float32, ``(frames, n_fft // 2 + 1)``.
    """
    filters = mel_filters(config).double()
    wanted = mel.detach().cpu().double().exp()
    magnitude: torch.Tensor = (wanted @ torch.linalg.pinv(filters)).clamp(min=_TINY)
    back = wanted @ filters.T
    for _ in range(_REFINEMENTS):
        magnitude = magnitude * back / (magnitude @ filters @ filters.T).clamp(min=_TINY)
    # No filter hears bins above f_max: nothing is known of them.
    magnitude[:, filters.sum(dim=1) == 0] = 0.0
    return magnitude.float()


def griffin_lim(mel: torch.Tensor, config: MelConfig, iterations: int, seed: int = 0) -> torch.Tensor:
    """Return a waveform whose log mel spectrogram is (nearly) ``mel``, by fast Griffin-Lim (torchaudio's).

    The same ``mel`` and ``seed`` give the same samples, whatever was drawn before.

    Args:
        mel: Natural logarithms, ``(frames, n_mels)``.
        config: That made it.
        iterations: Of the algorithm.
        seed: Of the phases that it starts from.

    Returns:
        float32, ``(frames x hop,)``, on the CPU.
    """
    # torchaudio's frames are centred on k x hop, ours on (k + 1/2) x hop: one more frame at each end, and half a hop
    # cut off behind them, puts every frame where it was.
    magnitude = mel_to_magnitude(mel, config)
    magnitude = torch.cat([magnitude[:1], magnitude, magnitude[-1:]])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(seed, "griffin-lim"))
        waveform: torch.Tensor = import_torchaudio("torchaudio.functional").griffinlim(
            magnitude.T.contiguous(),
            window=torch.hann_window(config.n_fft),
            n_fft=config.n_fft,
            hop_length=config.hop,
            win_length=config.n_fft,
            power=1.0,
            n_iter=iterations,
            momentum=_MOMENTUM,
            length=None,
            rand_init=True,
        )
    start = config.hop - config.hop // 2
    return waveform[start : start + mel.shape[0] * config.hop].contiguous()


def load_vocoder(path: str) -> Vocoder:
    """Return the vocoder that a user names by ``module:function``.

    It is called with a log mel spectrogram, float32 ``(frames, n_mels)``, and the sample rate in Hz, and returns the
    waveform in [-1, 1], ``(samples,)``; what it returns is checked.

    Raises:
        InputError: There is no such function; or later, it returns no waveform.
    """
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{path}: no vocoder can be imported by that path ({error})",
            "write module:function, with the module's directory in PYTHONPATH",
        ) from error

    def vocoder(mel: torch.Tensor, sample_rate_hz: int) -> torch.Tensor:
        waveform = torch.as_tensor(function(mel, sample_rate_hz)).detach().cpu().float()
        if waveform.ndim != 1 or waveform.shape[0] == 0 or not bool(torch.isfinite(waveform).all()):
            raise InputError(
                f"{path}: returned no waveform (shape {tuple(waveform.shape)})",
                "let it return finite samples, shape (samples,)",
            )
        return waveform

    return vocoder
