"""One clip: decoded twice and held never whole; a face followed, judged, aligned and cut out, with its sound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import JsonValue

from chorale.core.errors import InputError, MissingExtraError
from chorale.core.logs import get_logger
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.faces.config import FRAMES_PER_S, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, FacesConfig
from chorale.data.faces.offset import estimate_offset
from chorale.data.faces.quality import (
    Fault,
    head_turn,
    judge_lengths,
    judge_offset,
    judge_sound,
    judge_track,
)
from chorale.data.faces.report import ClipReport
from chorale.data.faces.sound import clip_sound
from chorale.data.faces.track import Track, face_runs, face_widths, filled, track_face
from chorale.media.faces.alignment import cropped, placement, smoothed, stable_points
from chorale.media.faces.finder import FaceFinder
from chorale.media.video.frames import Frame, read_frames
from chorale.media.video.opening import VideoInfo, look_at

_PICTURE_PX = 160
_log = get_logger(__name__)


class FaceClip(NamedTuple):
    """A clip that is ready.

    Attributes:
        frames: ``(frames, height, width, 3)`` uint8, 25 a second.
        waveform: ``(640 * frames,)`` float32 in [-1, 1], 16 kHz.
        landmarks: ``(frames, 68, 2)`` float32: x and y in pixels of the frames, each frame's own (not smoothed).
    """

    frames: Frame
    waveform: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class Prepared(NamedTuple):
    """What became of a clip.

    Attributes:
        report: Kept, or dropped and why.
        clip: None where it was dropped.
        picture: A small picture to show; None where no frame could be read.
    """

    report: ClipReport
    clip: FaceClip | None
    picture: Frame | None


class _UnfitError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


def prepare_clip(clip: TalkingClip, config: FacesConfig, finder: FaceFinder) -> Prepared:
    """Prepare a clip, or say why it is dropped; whatever is wrong with its files, nothing is raised for it.

    The first ``quality.max_s`` seconds at most are read. The video is decoded once to follow the face and once more to
    cut it out, so that memory holds one source frame and the small frames of the result. Where pictures and sound
    differ in length within the limits, both are cut to the shorter.

    Args:
        clip: What to prepare.
        config: How.
        finder: What finds faces.
    """
    work = _Work(clip, config, finder)
    fault: Fault | None = None
    face: FaceClip | None = None
    try:
        face = work.done()
    except MissingExtraError:
        raise
    except _UnfitError as error:
        fault = error.fault
    except InputError as error:
        fault = Fault("unreadable", str(error))
    except (ArithmeticError, LookupError, RuntimeError, ValueError, MemoryError) as error:
        # Decoders let through whatever a damaged file makes them meet; one file must not end the work on a corpus.
        _log.warning("%s: %s: %s", clip.video, type(error).__name__, error, exc_info=True)
        fault = Fault("unreadable", f"{clip.video}: {type(error).__name__}: {error}")
    report = ClipReport(
        key=clip.key,
        speaker=clip.speaker,
        emotion=clip.emotion,
        sentence=clip.sentence,
        reason=fault.reason if fault else None,
        detail=fault.detail if fault else "",
        facts=work.facts,
    )
    return Prepared(report, face, work.picture if face is None else face.frames[len(face.frames) // 2])


class _Work:
    """The steps, and what is known after each even if the next one fails."""

    def __init__(self, clip: TalkingClip, config: FacesConfig, finder: FaceFinder) -> None:
        self.facts: dict[str, JsonValue] = {}
        self.picture: Frame | None = None
        self._clip, self._config, self._finder = clip, config, finder
        self._end_s = clip.start_s + config.quality.max_s
        if clip.end_s is not None:
            self._end_s = min(self._end_s, clip.end_s)

    def done(self) -> FaceClip:
        clip, config, quality = self._clip, self._config, self._config.quality
        info = look_at(clip.video)
        self.facts["source"] = [info.height, info.width, round(info.frames_per_s, 3)]
        self._glance()
        self._drop(self._judge_header(info))
        waveform = clip_sound(clip, SAMPLE_RATE_HZ, self._end_s).numpy()
        level = 10 * np.log10(float(np.square(waveform, dtype=np.float64).mean()) + 1e-12)
        self.facts["level_dbfs"] = round(level, 1)
        self._drop(judge_sound(level, quality))
        track = track_face(self._read(), self._finder, config.track)
        count = len(track.points)
        self.facts["unseen"] = round(1 - float(track.seen.mean()), 4)
        promised_s = max(0.0, min(info.duration_s, self._end_s) - clip.start_s)
        self._drop(judge_lengths(count / FRAMES_PER_S, len(waveform) / SAMPLE_RATE_HZ, promised_s, quality))
        self._drop(self._judge_track(track))
        self.facts["face_px"] = round(float(np.nanmedian(face_widths(track.points))), 1)
        self.facts["turn"] = round(float(np.nanmedian(head_turn(track.points))), 3)
        count = min(count, len(waveform) // SAMPLES_PER_FRAME)
        waveform = np.ascontiguousarray(waveform[: count * SAMPLES_PER_FRAME], np.float32)
        frames, landmarks = self._cut_out(track, count)
        self.facts["frames"], self.facts["seconds"] = count, count / FRAMES_PER_S
        offset = estimate_offset(landmarks, waveform)
        self.facts["offset_s"] = round(offset.offset_s, 3)
        self.facts["offset_correlation"] = round(offset.correlation, 3)
        self.facts["offset_clear"] = offset.clear
        self.facts["offset_curve"] = [round(one, 3) for one in offset.curve]
        self._drop(judge_offset(offset, quality))
        return FaceClip(frames, waveform, landmarks)

    def _judge_header(self, info: VideoInfo) -> Fault | None:
        clip, quality = self._clip, self._config.quality
        if clip.audio is None and not info.has_sound:
            return Fault("no sound", "the video has no sound track")
        wanted_s = (info.duration_s if clip.end_s is None else clip.end_s) - clip.start_s
        if quality.longer == "drop" and wanted_s > quality.max_s:
            return Fault("too long", f"{wanted_s:.1f} s, over {quality.max_s:g} s")
        return None

    def _judge_track(self, track: Track) -> Fault | None:
        quality, start_s = self._config.quality, self._clip.start_s
        fault = judge_track(track, quality)
        if fault is not None:
            # Whoever wants the clip can name its good parts in a table.
            runs = face_runs(track, round(quality.min_s * FRAMES_PER_S), round(quality.max_gap_s * FRAMES_PER_S))
            self.facts["parts"] = [[round(start_s + at / FRAMES_PER_S, 2) for at in run] for run in runs]
        return fault

    def _glance(self) -> None:
        # The first frame of many clips is black; a second later there is something to see.
        frame: Frame | None = None
        for frame in islice(self._read(), FRAMES_PER_S):  # noqa: B007 (the last one is wanted)
            pass
        self.picture = None if frame is None else _small(frame)

    def _read(self) -> Iterator[Frame]:
        return read_frames(self._clip.video, FRAMES_PER_S, self._clip.start_s, self._end_s)

    def _cut_out(self, track: Track, count: int) -> tuple[Frame, NDArray[np.float32]]:
        crop = self._config.crop
        points = filled(track.points)
        stable = smoothed(stable_points(points), self._config.smoothed_over)
        frames = np.empty((count, crop.height, crop.width, 3), np.uint8)
        landmarks = np.empty((count, 68, 2), np.float32)
        done = 0
        for at, frame in enumerate(islice(self._read(), count)):
            placed = placement(stable[at], crop)
            frames[at] = cropped(frame, placed, crop)
            landmarks[at] = placed.apply(points[at])
            done = at + 1
        if done < count:
            raise InputError(f"{self._clip.video}: {count} frames once, {done} when read again", "replace the file")
        return frames, landmarks

    def _drop(self, fault: Fault | None) -> None:
        if fault is not None:
            raise _UnfitError(fault)


def _small(frame: Frame) -> Frame:
    image = Image.fromarray(frame)
    image.thumbnail((_PICTURE_PX, _PICTURE_PX))
    return np.asarray(image).copy()
