"""Claims about stored and aligned clips: whole or not at all, read by windows, and never done twice."""

import csv
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from chorale.core.errors import InputError
from chorale.data.corpora.talking.clip import TalkingClip
from chorale.data.corpora.talking.config import TalkingFacesConfig
from chorale.data.corpora.talking.read import read_talking_clips
from chorale.data.faces.align import align_clips
from chorale.data.faces.config import FacesConfig, QualityConfig, TrackConfig
from chorale.data.faces.shard import faces_identity, prepare_shard
from chorale.data.faces.sheet import Tile, write_sheet
from chorale.data.store.clip_store import ClipStore, write_clip_manifest
from chorale.data.store.clips import ClipShardWriter, clip_shard_is_complete
from chorale.media.video.frames import read_frames
from chorale.media.video.sound import read_sound
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit
CONFIG = FacesConfig(
    height=32, width=24, track=TrackConfig(smallest_px=60), quality=QualityConfig(min_s=0.3, max_offset_s=None)
)


def arrays(seed, frames=6):
    draw = np.random.default_rng(seed)
    return {
        "frames": draw.integers(0, 255, (frames, 8, 6, 3), np.uint8),
        "waveform": draw.standard_normal(640 * frames).astype(np.float32),
        "landmarks": draw.standard_normal((frames, 68, 2)).astype(np.float32),
    }


def store_of(directory, *shards):
    """Write shards of clips by key and seed, and open them as a store."""
    for number, keys in enumerate(shards):
        with ClipShardWriter(directory / f"shard-{number}.h5", "made") as writer:
            for key in keys:
                writer.add(key, arrays(ord(key)), {"speaker": f"speaker of {key}"})
    write_clip_manifest(directory, "made", "build {shard}")
    return ClipStore.open(directory, "made")


def test_what_is_written_is_read_whole_and_by_windows(tmp_path):
    store = store_of(tmp_path, "ab", "", "c")
    assert store.keys == ("a", "b", "c") and len(store) == 3 and "b" in store and "d" not in store
    for key in store.keys:
        for name, array in arrays(ord(key)).items():
            assert store.shape(key, name) == array.shape
            whole = store.read(key, name)
            assert whole.dtype == array.dtype and (whole == array).all()
            assert (store.read(key, name, 2, 5) == array[2:5]).all()
    assert store.facts("b") == {"speaker": "speaker of b"}
    store.verify()


def test_the_file_is_plain_hdf5_that_tells_all_by_itself(tmp_path):
    h5py = pytest.importorskip("h5py")
    store_of(tmp_path, "ab")
    with h5py.File(tmp_path / "shard-0.h5") as file:
        (first, second) = file["clips"].values()
        assert second.attrs["key"] == "b" and "speaker of b" in second.attrs["facts"]
        assert (first["landmarks"][:] == arrays(ord("a"))["landmarks"]).all()


@pytest.mark.parametrize("start, stop", [(-1, 3), (0, 7), (3, 3), (6, None)])
def test_a_window_outside_a_clip_is_refused(tmp_path, start, stop):
    store = store_of(tmp_path, "a")
    with pytest.raises(ValueError, match="a: frames: steps"):
        store.read("a", "frames", start, stop)
    with pytest.raises(InputError, match="no such clip"):
        store.read("z", "frames")
    with pytest.raises(InputError, match="a: sound: no such clip or array"):
        store.read("a", "sound")


def test_a_store_goes_into_other_processes_while_it_is_open(tmp_path):
    store = store_of(tmp_path, "abc")
    store.read("a", "frames")
    assert (pickle.loads(pickle.dumps(store)).read("b", "frames") == arrays(ord("b"))["frames"]).all()  # noqa: S301
    children = []
    for key in "abc":
        child = os.fork()
        if child == 0:
            good = all((store.read(key, "frames") == arrays(ord(key))["frames"]).all() for _ in range(50))
            os._exit(0 if good else 1)
        children.append(child)
    assert (store.read("c", "frames") == arrays(ord("c"))["frames"]).all()
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def test_a_shard_that_is_not_finished_is_not_there(tmp_path):
    path = tmp_path / "shard-0.h5"
    with pytest.raises(ZeroDivisionError), ClipShardWriter(path, "made") as writer:
        writer.add("a", arrays(0), {})
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [] and not clip_shard_is_complete(path, "made")


@pytest.mark.parametrize("bad", [{"frames": np.empty((0, 8, 6, 3), np.uint8)}, {"level": np.float32(1)}])
def test_an_empty_array_and_a_key_twice_are_refused(tmp_path, bad):
    with ClipShardWriter(tmp_path / "shard-0.h5", "made") as writer:
        writer.add("a", arrays(0), {})
        with pytest.raises(InputError, match="holds nothing"):
            writer.add("b", {name: np.asarray(array) for name, array in bad.items()}, {})
        with pytest.raises(InputError, match="a: already written"):
            writer.add("a", arrays(0), {})


def test_what_is_wrong_with_a_store_is_told_with_what_mends_it(tmp_path):
    store = store_of(tmp_path, "ab", "c")
    path = tmp_path / "shard-0.h5"
    whole = path.read_bytes()
    with pytest.raises(InputError, match="made by configuration made, expected other"):
        ClipStore.open(tmp_path, "other")
    path.write_bytes(whole[:-10])
    with pytest.raises(InputError, match=rf"shard has .* bytes; build it again with: build {path}"):
        ClipStore.open(tmp_path)
    path.write_bytes(whole[:-10] + bytes(10))
    with pytest.raises(InputError, match="SHA-256 differs"):
        ClipStore.open(tmp_path).verify()
    path.write_bytes(bytes(len(whole)))
    with pytest.raises(InputError, match="not an HDF5 file"):
        store.read("a", "frames")
    path.unlink()
    with pytest.raises(InputError, match="shard is missing"):
        ClipStore.open(tmp_path)
    with pytest.raises(InputError, match="holds no clips"):
        write_clip_manifest(tmp_path / "none", "made", "build")
    with pytest.raises(InputError, match=r"a stands in shard-0\.h5 too"):
        store_of(tmp_path, "a", "a")


def test_a_sheet_shows_what_was_dropped_and_of_much_a_part(tmp_path):
    picture = np.full((40, 30, 3), 200, np.uint8)
    tiles = [
        Tile(picture if number % 2 else None, f"clip {number}", "no face", number % 3 == 0) for number in range(50)
    ]
    sizes = []
    for most in (12, 120):
        write_sheet(tmp_path / "sheet.png", tiles, most)
        with Image.open(tmp_path / "sheet.png") as image:
            sizes.append(image.size)
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] < sizes[1][1]
    write_sheet(tmp_path / "empty.png", [])
    assert (tmp_path / "empty.png").is_file()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with a table: a clip with a face, one without sound, and one that is damaged."""
    pytest.importorskip("dlib")
    whole = pytest.importorskip("skimage.data").astronaut()
    face = np.asarray(Image.fromarray(whole[10:250, 105:345]).resize((208, 208), Image.Resampling.LANCZOS))
    root = tmp_path_factory.mktemp("corpus")
    for name, sound in (("good", 0.1), ("mute", None)):
        with writing_video(root / f"{name}.mp4", 25, 16000 if sound else None) as writer:
            for number in range(10):
                tone = 0.1 * torch.sin(torch.arange(640 * number, 640 * (number + 1)) * 0.1)
                writer.add(face, tone if sound else None)
    (root / "damaged.mp4").write_bytes(b"damaged")
    (root / "clips.csv").write_text(
        "file,speaker,emotion,sentence\ngood.mp4,ann,happy,hello\nmute.mp4,bob,,\ndamaged.mp4,bob,,\n"
    )
    return root


def clips_of(root):
    return read_talking_clips(TalkingFacesConfig(layout="folder", root=root), root / "cache")


def test_a_shard_holds_what_is_fit_and_says_why_the_rest_is_not(tmp_path, corpus, monkeypatch):
    clips, path = clips_of(corpus), tmp_path / "shard-00000.h5"
    report = prepare_shard(clips, CONFIG, path)
    assert [(clip.key, clip.reason) for clip in report.clips] == [
        ("good", None),
        ("mute", "no sound"),
        ("damaged", "unreadable"),
    ]
    assert {file.name for file in tmp_path.iterdir()} == {
        "shard-00000.h5",
        "shard-00000.h5.json",
        "shard-00000.png",
        "shard-00000.report.json",
    }
    identity = faces_identity(clips, CONFIG)
    write_clip_manifest(tmp_path, identity, "build {shard}")
    store = ClipStore.open(tmp_path, identity)
    assert store.keys == ("good",)
    assert store.shape("good", "frames") == (10, 32, 24, 3) and store.shape("good", "waveform") == (6400,)
    facts = store.facts("good")
    assert (facts["speaker"], facts["emotion"], facts["sentence"], facts["seconds"]) == ("ann", "happy", "hello", 0.4)

    before = path.read_bytes()
    monkeypatch.setattr("chorale.data.faces.shard.FaceFinder", None)
    assert prepare_shard(clips, CONFIG, path) == report and path.read_bytes() == before
    with pytest.raises(TypeError):
        prepare_shard(clips[:1], CONFIG, path)  # Of other clips: made again, for which it needs the finder.


def test_a_shard_of_which_nothing_is_fit_is_empty_and_whole(tmp_path, corpus):
    clips, path = clips_of(corpus)[1:], tmp_path / "shard-00000.h5"
    assert not any(clip.kept for clip in prepare_shard(clips, CONFIG, path).clips)
    assert clip_shard_is_complete(path, faces_identity(clips, CONFIG))
    with pytest.raises(InputError, match="holds no clips; the shards' reports say why"):
        write_clip_manifest(tmp_path, faces_identity(clips, CONFIG), "build {shard}")


def test_aligned_clips_are_a_corpus_and_are_not_done_twice(tmp_path, corpus):
    clips = clips_of(corpus)
    reports, new = align_clips(clips, CONFIG, tmp_path)
    assert ([report.reason for report in reports], new) == ([None, "no sound", "unreadable"], 3)
    aligned = tmp_path / "clips/good.mp4"
    assert next(read_frames(aligned, 25)).shape == (32, 24, 3) and len(read_sound(aligned, 16000, 0, 0.4)) == 6400
    assert [clip.emotion for clip in clips_of(tmp_path)] == ["happy"]
    with (tmp_path / "report.csv").open() as file:
        assert [(row["key"], row["kept"], row["reason"]) for row in csv.DictReader(file)] == [
            ("good", "True", ""),
            ("mute", "False", "no sound"),
            ("damaged", "False", "unreadable"),
        ]
    made = aligned.stat().st_mtime_ns
    again, new = align_clips(clips, CONFIG, tmp_path)
    assert (again, new, aligned.stat().st_mtime_ns) == (reports, 0, made)
    (tmp_path / "records/mute.json").write_text("{")
    assert align_clips(clips, CONFIG, tmp_path)[1] == 1
    aligned.unlink()
    assert align_clips(clips, CONFIG, tmp_path)[1] == 1 and aligned.is_file()


def test_a_key_that_climbs_is_written_below_the_folder_all_the_same(tmp_path, corpus):
    clip = TalkingClip("../../outside", "ann", corpus / "damaged.mp4")
    align_clips([clip], CONFIG, tmp_path / "a/b/out")
    assert (tmp_path / "a/b/out/records/outside.json").is_file()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b"]
