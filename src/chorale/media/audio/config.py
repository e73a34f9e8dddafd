"""What acoustic features are made of. For speakers: the recipe that Kaldi's and wespeaker's VoxCeleb systems share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

_N_MELS = {"mfcc": 30, "log-mel": 80}


class VadConfig(Config):
    """Energy voice activity detection, after Kaldi's ``compute-vad`` with the values of its VoxCeleb recipe."""

    energy_threshold: float = 5.5
    """Constant part of the threshold, in natural log energy of samples scaled to 16 bits."""
    energy_mean_scale: float = Field(0.5, ge=0)
    """Share of the recording's mean log energy that is added to the threshold."""
    frames_context: int = Field(2, ge=0)
    """Frames on each side that vote on a frame."""
    proportion_threshold: float = Field(0.12, gt=0, lt=1)
    """Share of those frames that must lie above the threshold."""


class FeatureConfig(Config):
    """Acoustic features of one recording; its ``identity()`` is the key of a feature store."""

    kind: Literal["mfcc", "log-mel"] = "mfcc"
    """30 cepstral coefficients, the first being log energy, or 80 log mel energies."""
    sample_rate_hz: int = Field(16000, ge=8000, le=48000)
    """Recordings are resampled to this rate."""
    window_ms: float = Field(25.0, gt=0)
    """Length of a frame."""
    hop_ms: float = Field(10.0, gt=0)
    """Distance between frames."""
    n_mels: int = Field(30, ge=2)
    """Mel filters; 80 for ``log-mel`` unless said otherwise."""
    n_coefficients: int = Field(30, ge=2)
    """Cepstral coefficients kept (``mfcc`` only)."""
    f_min_hz: float = Field(20.0, ge=0)
    """Lower edge of the first filter."""
    f_max_hz: float = Field(7600.0, gt=0)
    """Upper edge of the last filter."""
    cmn_frames: int | None = Field(300, ge=1)
    """Window of the sliding mean normalisation; None turns it off."""
    vad: VadConfig | None = VadConfig()
    """None keeps every frame."""

    @model_validator(mode="before")
    @classmethod
    def _n_mels_of_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and "n_mels" not in values and values.get("kind") in _N_MELS:
            return {**values, "n_mels": _N_MELS[values["kind"]]}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> FeatureConfig:
        if self.f_max_hz > self.sample_rate_hz / 2:
            raise ValueError(f"f_max_hz {self.f_max_hz:g} lies above half of sample_rate_hz {self.sample_rate_hz}")
        if self.f_min_hz >= self.f_max_hz:
            raise ValueError("f_min_hz must lie below f_max_hz")
        if self.kind == "mfcc" and self.n_coefficients > self.n_mels:
            raise ValueError(f"n_coefficients {self.n_coefficients} exceeds n_mels {self.n_mels}")
        return self

    @property
    def dim(self) -> int:
        """Values per frame."""
        return self.n_coefficients if self.kind == "mfcc" else self.n_mels


class MelConfig(Config):
    """The mel spectrogram. Defaults are the common LJSpeech convention."""

    sample_rate_hz: int = Field(22050, ge=8000)
    """Recordings are resampled to this."""
    n_fft: int = Field(1024, ge=64)
    """Samples per transform; the window is as long."""
    hop: int = Field(256, ge=16)
    """Samples between two frames."""
    n_mels: int = Field(80, ge=8)
    """Mel bins."""
    f_min_hz: float = Field(0.0, ge=0)
    """Lower edge of the first bin."""
    f_max_hz: float = Field(8000.0, gt=0)
    """Upper edge of the last bin."""
    floor: float = Field(1e-5, gt=0)
    """Magnitudes are raised to this before the natural logarithm."""
    trim_db: float | None = Field(40.0, gt=0)
    """Silence so far below the loudest frame is cut off both ends; kept if not given."""

    @model_validator(mode="after")
    def _rising_edges(self) -> MelConfig:
        if not self.f_min_hz < self.f_max_hz <= self.sample_rate_hz / 2:
            raise ValueError("f_min_hz below f_max_hz, and this at most half of sample_rate_hz, was expected")
        if self.hop > self.n_fft:
            raise ValueError(f"hop {self.hop} lies above n_fft {self.n_fft}")
        return self
