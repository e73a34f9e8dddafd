import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.errors import InputError
from chorale.data.corpora.utterances import Clip, Utterance
from chorale.data.features import build_features, find_bad_utterances, store_hash, utterance_features
from chorale.data.store.manifest import write_manifest
from chorale.data.store.reader import Store
from chorale.media.audio.config import FeatureConfig

pytestmark = pytest.mark.unit
RATE = 16000
CONFIG = FeatureConfig()


def utterance(directory: Path, key: str, *seconds: float) -> Utterance:
    clips = []
    for index, length in enumerate(seconds):
        path = directory / f"{key.replace('/', '-')}-{index}.wav"
        noise = np.random.default_rng(index).standard_normal(round(length * RATE)).astype(np.float32)
        soundfile.write(path, 0.1 * noise, RATE)
        clips.append(Clip(path))
    return Utterance(key, key.split("/")[0], "en", "test", tuple(clips))


def test_a_shard_holds_the_features_of_joined_clips_and_is_not_built_twice(tmp_path: Path):
    utterances = [utterance(tmp_path, "anna/0", 1.0, 0.5), utterance(tmp_path, "bert/0", 1.0)]
    identity = store_hash(utterances, CONFIG)
    shard = tmp_path / "store" / "shard-0.h5"
    assert build_features(utterances, CONFIG, shard, identity)
    write_manifest(shard.parent, identity, "rebuild {shard}")
    store = Store.open(shard.parent, identity)
    assert store.shape("anna/0") == (150, 30)
    np.testing.assert_array_equal(store["anna/0"], utterance_features(utterances[0], CONFIG).numpy())
    before = shard.stat().st_mtime_ns
    started = time.monotonic()
    assert not build_features(utterances, CONFIG, shard, identity)
    assert time.monotonic() - started < 0.5
    assert shard.stat().st_mtime_ns == before


def test_other_features_or_other_recordings_are_another_store(tmp_path: Path):
    utterances = [utterance(tmp_path, "anna/0", 1.0)]
    identity = store_hash(utterances, CONFIG)
    assert identity != store_hash(utterances, FeatureConfig(kind="log-mel"))
    longer = [utterance(tmp_path, "anna/0", 1.5)]
    assert identity != store_hash(longer, CONFIG)


def test_a_bad_clip_is_named_nothing_is_left_and_all_bad_ones_can_be_listed(tmp_path: Path):
    good, empty = utterance(tmp_path, "anna/0", 1.0), utterance(tmp_path, "bert/0", 0.0)
    text = Utterance("carl/0", "carl", "en", "test", (Clip(tmp_path / "text.wav"),))
    (tmp_path / "text.wav").write_text("this is not sound")
    silent = Utterance("dora/0", "dora", "en", "test", (Clip(tmp_path / "silent.wav"),))
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE, np.float32), RATE)
    shard = tmp_path / "store" / "shard-0.h5"
    with pytest.raises(InputError, match=r"bert-0-0\.wav: holds 0 samples"):
        build_features([good, empty], CONFIG, shard)
    assert list(shard.parent.iterdir()) == []
    bad = find_bad_utterances([good, empty, text, silent], CONFIG)
    assert [item.key for item in bad] == ["bert/0", "carl/0", "dora/0"]
    assert "not a readable recording" in bad[1].reason
    assert "silent.wav" in bad[2].reason
