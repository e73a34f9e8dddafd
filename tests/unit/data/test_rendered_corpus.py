"""Claims about rendered clips, on real ones: the parametric head, a synthesiser, OpenGL and dlib."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.data.corpora.mesa import has_opengl
from chorale.data.corpora.rendered.config import RenderedConfig
from chorale.data.corpora.rendered.corpus import corpus_folder, planned_clips, write_list
from chorale.data.corpora.rendered.program import render_apart
from chorale.data.corpora.talking.folder import read_clip_table
from chorale.media.faces.finder import FaceFinder
from chorale.media.video.frames import read_frames
from chorale.media.video.sound import read_sound

pytestmark = pytest.mark.unit

CONFIG = RenderedConfig(speakers=2, emotions=5, clips=1, recorded=False)
INNER_UPPER, INNER_LOWER, CORNERS = (61, 62, 63), (67, 66, 65), (48, 54)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def corpus(cache):
    for package in ("anny", "moderngl", "espeakng_loader", "dlib"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if not has_opengl():
        pytest.skip("no OpenGL here (libegl1, libgl1, libgl1-mesa-dri)")
    (cache / "rendered").mkdir()
    assert render_apart(CONFIG, cache, 0, CONFIG.count) == CONFIG.count
    return write_list(CONFIG, cache)


@pytest.fixture(scope="module")
def tracks(corpus):
    """Return each clip's points, frame by frame, and the visemes that were spoken then."""
    finder, found = FaceFinder(), {}
    for clip in planned_clips(CONFIG):
        frames = list(read_frames(corpus / clip.file, 25))
        points = []
        for frame in frames:
            face = finder.find(frame)
            assert face is not None, clip.key
            points.append(face.points)
        spoken = json.loads((corpus / clip.file).with_suffix(".json").read_text())
        at_s = (np.arange(len(frames)) + 0.5) / 25
        visemes = [
            next((one["viseme"] for one in spoken if one["start_s"] <= at < one["end_s"]), "rest") for at in at_s
        ]
        found[clip] = np.stack(points), np.array(visemes)
    return found


def aperture(points):
    width = np.linalg.norm(points[:, CORNERS[0]] - points[:, CORNERS[1]], axis=1)
    gap = np.linalg.norm(points[:, INNER_UPPER] - points[:, INNER_LOWER], axis=2).mean(axis=1)
    return gap / width


def test_a_face_detector_trained_on_people_finds_the_face_in_every_frame(tracks):
    assert all(len(points) > 25 for points, _ in tracks.values())


def test_lips_are_seen_closed_on_m_b_p_and_open_on_vowels(tracks):
    gaps = {clip: aperture(points) for clip, (points, _) in tracks.items()}
    closed = np.concatenate([gaps[clip][visemes == "closed"] for clip, (_, visemes) in tracks.items()])
    vowels = np.concatenate([gaps[clip][np.isin(visemes, ("a", "o", "e"))] for clip, (_, visemes) in tracks.items()])
    assert len(closed) > 20 and len(vowels) > 30
    assert np.median(closed) < 0.05 and np.median(vowels) > 2 * np.median(closed) + 0.03


def test_a_happy_mouth_is_wider_than_the_same_speakers_neutral_one(tracks):
    def width(speaker, emotion):
        ((points, _),) = (one for clip, one in tracks.items() if (clip.speaker, clip.emotion) == (speaker, emotion))
        mouth = np.linalg.norm(points[:, CORNERS[0]] - points[:, CORNERS[1]], axis=1)
        return np.median(mouth / np.linalg.norm(points[:, 36] - points[:, 45], axis=1))

    assert all(width(speaker, "happy") > 1.05 * width(speaker, "neutral") for speaker in (0, 1))


def test_sound_and_pictures_are_as_long_as_one_another(corpus):
    for clip in planned_clips(CONFIG):
        frames = sum(1 for _ in read_frames(corpus / clip.file, 25))
        # The sound's codec fills its last block of 1,024 samples.
        assert 0 <= len(read_sound(corpus / clip.file, 16000)) - 640 * frames < 1024


def test_the_same_clip_drawn_again_is_the_same_file(corpus, cache):
    clip = planned_clips(CONFIG)[3]
    before = (corpus / clip.file).read_bytes()
    (corpus / clip.file).unlink()
    (corpus / clip.file).with_suffix(".json").unlink()
    assert render_apart(CONFIG, cache, 0, CONFIG.count) == 1
    assert (corpus / clip.file).read_bytes() == before


def test_the_corpus_is_read_as_a_folder_of_clips_with_their_labels(corpus):
    clips = read_clip_table(corpus)
    assert [clip.emotion for clip in clips[:5]] == list(CONFIG.emotion_names)
    assert {clip.speaker for clip in clips} == {"speaker-00", "speaker-01"}
    assert all(clip.sentence and clip.phones and clip.phones.is_file() for clip in clips)


def test_a_list_of_clips_that_are_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="not rendered; run: chorale corpora render"):
        write_list(CONFIG, tmp_path)


def test_another_seed_is_another_corpus(tmp_path):
    assert corpus_folder(CONFIG, tmp_path) != corpus_folder(CONFIG.model_copy(update={"seed": 2}), tmp_path)
