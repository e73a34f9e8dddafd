from collections import Counter

import numpy as np
import pytest
import torch

from chorale.core.errors import InputError
from chorale.data.store.clip_store import ClipStore, write_clip_manifest
from chorale.data.store.clips import ClipShardWriter
from chorale.experiments.speech2video.corpus.clips import FaceClips, Labels
from chorale.experiments.speech2video.corpus.windows import WindowSampler

pytestmark = pytest.mark.unit


def store_of(folder, emotions):
    with ClipShardWriter(folder / "faces-00000.h5", "made") as writer:
        for number, emotion in enumerate(emotions):
            frames = np.full((5 + number, 4, 2, 3), 51 * number, np.uint8)
            sound = np.arange(640 * (5 + number), dtype=np.float32)
            points = np.zeros((5 + number, 68, 2), np.float32)
            facts = {"speaker": f"s{number % 2}", "emotion": emotion, "sentence": None}
            writer.add(f"c{number}", {"frames": frames, "waveform": sound, "landmarks": points}, facts)
    write_clip_manifest(folder, "made", "again", ["faces-00000.h5"])
    return ClipStore.open(folder)


def test_clips_come_by_part_with_numbers_for_speaker_and_emotion(tmp_path):
    store = store_of(tmp_path, ["sad", "happy", "sad", "anger"])
    clips = FaceClips(store, {"c0": "train", "c1": "test", "c2": "train"})
    assert clips.keys("train") == ["c0", "c2"] and clips.keys("dev") == [] and clips.keys("test") == ["c1"]
    # The clip of no part counts for nothing: neither does its emotion.
    assert clips.speakers == ["s0", "s1"] and clips.emotions == ["happy", "sad"]
    assert clips.labels("c1") == Labels(speaker=1, emotion=0) and clips.labels("c2") == Labels(0, 1)
    assert clips.size == (4, 2) and clips.length("c2") == 7


def test_frames_are_scaled_from_black_at_minus_one_and_come_with_their_sound(tmp_path):
    clips = FaceClips(store_of(tmp_path, ["sad", "sad"]), {"c0": "train", "c1": "train"})
    frames = clips.frames("c1", 2, 3)
    assert frames.shape == (3, 3, 4, 2)
    torch.testing.assert_close(frames, torch.full_like(frames, 51 / 127.5 - 1))
    assert torch.equal(clips.frames("c0"), torch.full((5, 3, 4, 2), -1.0))
    assert clips.waveform("c1", 2, 3).tolist() == list(range(1280, 3200))


def test_a_corpus_with_and_without_emotions_is_refused(tmp_path):
    with pytest.raises(InputError, match="c1: has no emotion, and others have"):
        FaceClips(store_of(tmp_path, ["sad", None]), {"c0": "train", "c1": "dev"})


def test_a_global_batch_is_the_same_however_it_is_sliced():
    sampler = WindowSampler([30, 50, 20], 10, batch=8, seed=1, name="frames")
    assert sampler.draw(3, 0, 3) + sampler.draw(3, 3, 8) == sampler.draw(3, 0, 8)
    assert sampler.draw(3, 0, 8) != sampler.draw(4, 0, 8)


def test_every_window_of_the_corpus_is_as_likely():
    sampler = WindowSampler([10, 12, 9], 10, batch=4000, seed=1, name="frames")
    counts = Counter(sampler.draw(0, 0, 4000))
    assert set(counts) == {(0, 0), (1, 0), (1, 1), (1, 2)}
    assert all(abs(count - 1000) < 120 for count in counts.values())


def test_clips_may_be_given_chances_and_short_ones_are_still_left_out():
    sampler = WindowSampler([10, 100, 9], 10, batch=1000, seed=1, name="frames", weights=[1, 1, 5])
    counts = Counter(window.clip for window in sampler.draw(0, 0, 1000))
    assert set(counts) == {0, 1} and abs(counts[0] - 500) < 60


def test_windows_longer_than_every_clip_are_refused():
    with pytest.raises(InputError, match="no clip has 10 steps in a row; the longest has 9"):
        WindowSampler([5, 9], 10, batch=2, seed=0, name="speech")
