"""How faces are followed, judged and cut out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from chorale.core.config import Config

if TYPE_CHECKING:
    from chorale.media.faces.alignment import Crop

FRAMES_PER_S = 25
"""Of every prepared clip."""
SAMPLE_RATE_HZ = 16000
"""Of its sound."""
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAMES_PER_S
"""640: the sound that is heard while a frame is shown."""


class TrackConfig(Config):
    """How a face is found and followed. All choices are ours."""

    smallest_px: int = Field(40, ge=16)
    """Width in pixels of the smallest face looked for."""
    smallest_share: float = Field(0.1, ge=0, lt=1)
    """The same as a share of the frame's height; the larger of both counts, so that large frames take no longer."""
    search_every: int = Field(5, ge=1)
    """After so many frames without a face where one should be, and then after so many again, the whole frame is
    searched."""
    cut_below: float = Field(0.7, gt=-1, lt=1)
    """Two frames in a row whose thumbnails correlate less are of two shots."""


class QualityConfig(Config):
    """What a clip must be like to be kept. All choices are ours."""

    min_s: float = Field(1.0, gt=0)
    """Shorter clips are dropped; the speech encoder's training window is 1.28 s."""
    max_s: float = Field(20.0, gt=0)
    """No more than so many seconds are read of any clip."""
    longer: Literal["cut", "drop"] = "cut"
    """What becomes of longer clips: their begin is kept, or nothing."""
    max_unseen: float = Field(0.1, ge=0, lt=1)
    """Share of the frames in which no face may be found; the points there are interpolated."""
    max_gap_s: float = Field(0.5, ge=0)
    """No face is found for so long in a row at most."""
    min_face_px: float = Field(40.0, gt=0)
    """Median width of the face in the source, pixels; a frame of 96 pixels shows a face of about 90."""
    max_turn: float = Field(0.6, gt=0, le=1)
    """Median turn of the head: 0 facing the camera, 1 in profile (see ``quality.head_turn``)."""
    max_sound_short_s: float = Field(0.2, ge=0)
    """The sound may end so much before the pictures; both are then cut to the shorter."""
    max_pictures_short_s: float = Field(0.5, ge=0)
    """The pictures may end so much before the sound, or before the end that the file's header tells."""
    min_sound_dbfs: float = Field(-60.0, lt=0)
    """Level (root mean square, relative to full scale) below which a recording counts as silent."""
    max_offset_s: float | None = Field(0.3, gt=0)
    """Sound may lead or follow the lips by so much, where the estimate is clear; None: not judged. Mouths move 0.1 to
    0.3 s before they are heard (Chandrasekaran et al. 2009), so that less says nothing."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> QualityConfig:
        if self.max_s < self.min_s:
            raise ValueError("max_s lies below min_s")
        return self


class FacesConfig(Config):
    """How a clip becomes frames of an aligned face."""

    height: int = Field(128, ge=8)
    """Of a frame, pixels."""
    width: int = Field(96, ge=8)
    """Likewise."""
    eyes_apart: float = Field(0.40, gt=0, lt=1)
    """Distance between the eyes' middles, as a share of the width."""
    eyes_at: float = Field(0.38, gt=0, lt=1)
    """How far below the top they are, as a share of the height."""
    smoothed_over: int = Field(7, ge=1)
    """Frames over whose mean a face is placed; odd. 7 is that of Vougioukas et al. 2020."""
    track: TrackConfig = TrackConfig()
    """How a face is found and followed."""
    quality: QualityConfig = QualityConfig()
    """What a clip must be like to be kept."""

    @model_validator(mode="after")
    def _sizes(self) -> FacesConfig:
        if self.height % 2 or self.width % 2:
            raise ValueError("height and width must be even: videos are stored so")
        if self.smoothed_over % 2 == 0:
            raise ValueError("smoothed_over must be odd")
        return self

    @property
    def crop(self) -> Crop:
        """What of a face is kept."""
        # Configurations are read where nothing heavy may be imported.
        from chorale.media.faces.alignment import Crop

        return Crop(self.height, self.width, self.eyes_apart, self.eyes_at)
