import itertools

import numpy as np
import pytest
from pydantic import ValidationError

from chorale.data.corpora.rendered.cast import cast_of
from chorale.data.corpora.rendered.config import EMOTIONS, RenderedConfig
from chorale.data.corpora.rendered.corpus import part_of, planned_clips
from chorale.data.corpora.rendered.emotions import draw_expression, draw_prosody
from chorale.data.corpora.rendered.idle import draw_eyes, draw_poses
from chorale.data.corpora.rendered.speech import written_parts

pytestmark = pytest.mark.unit


def pitches(emotion, clips=400):
    return np.log2([draw_prosody(1, f"{emotion}-{clip}", emotion).pitch for clip in range(clips)])


def test_no_threshold_on_pitch_tells_one_emotion_from_another_for_sure():
    for one, other in (("anger", "happy"), ("fear", "happy"), ("neutral", "sad"), ("neutral", "disgust")):
        values = np.concatenate([pitches(one), pitches(other)])
        labels = np.repeat([0, 1], 400)
        best = max(max(np.mean((values > at) == labels), np.mean((values <= at) == labels)) for at in values)
        assert best < 0.80, (one, other, best)


def test_emotions_differ_in_the_mean_of_their_voices():
    assert pitches("sad").mean() < pitches("neutral").mean() < pitches("fear").mean()


def test_a_clip_s_voice_and_face_depend_on_seed_and_key_alone():
    assert draw_prosody(1, "a", "sad") == draw_prosody(1, "a", "sad") != draw_prosody(2, "a", "sad")
    assert draw_expression(1, "a", "sad") == draw_expression(1, "a", "sad") != draw_expression(1, "b", "sad")


def test_a_face_shows_its_emotion_more_than_the_others_do():
    def mean(emotion, action):
        return np.mean([draw_expression(1, f"{clip}", emotion)[action] for clip in range(60)])

    for emotion, action in (("happy", "mouthSmileLeft"), ("anger", "browDownLeft"), ("disgust", "noseSneerLeft")):
        assert all(mean(emotion, action) > mean(other, action) + 0.2 for other in EMOTIONS if other != emotion)


def test_eyes_blink_about_as_often_as_people_do():
    lids = draw_eyes(1, "clip", 25 * 600, 25)["eyeBlinkLeft"]
    blinks = np.sum((lids[1:] == 1.0) & (lids[:-1] < 1.0))
    assert 10 < blinks / 10 < 24


def test_the_head_sways_smoothly_and_nods_with_the_voice():
    loudness = np.where(np.arange(500) % 50 < 25, 0.0, -30.0)
    poses = draw_poses(1, "clip", loudness, 25)
    yaw, pitch = (np.array([getattr(pose, name) for pose in poses]) for name in ("yaw", "pitch"))
    assert np.abs(np.diff(yaw)).max() < 0.02 and yaw.std() > 0.02
    assert np.corrcoef(pitch, loudness)[0, 1] < -0.3


def test_every_voice_has_a_face_of_its_own_and_half_are_women():
    cast = cast_of(RenderedConfig(speakers=12))
    assert len({speaker.voice for speaker in cast}) == 12
    assert sum(speaker.voice.woman for speaker in cast) == 6
    assert cast[0].voice.name is None and all(speaker.voice.name for speaker in cast[1:])
    assert len({tuple(speaker.look.changes.values()) for speaker in cast}) == 12
    neighbours = itertools.pairwise(cast)
    assert all(np.abs(one.look.skin - other.look.skin).max() > 0.02 for one, other in neighbours)


def test_speakers_do_not_change_when_others_join():
    few, many = (cast_of(RenderedConfig(speakers=count)) for count in (4, 12))
    assert [s.look.changes for s in few] == [s.look.changes for s in many[:4]]


def test_a_speaker_says_no_sentence_twice_before_each_was_said_and_sentences_go_with_no_emotion():
    config = RenderedConfig(speakers=3, clips=8, recorded=False)
    parts = written_parts()
    assert len(parts) == 48
    plan = planned_clips(config)
    assert len(plan) == len({clip.key for clip in plan}) == 3 * 6 * 8
    for speaker in range(3):
        said = [part_of(config, clip, parts).sentence for clip in plan if clip.speaker == speaker]
        assert len(set(said)) == 48
    angry = [
        {part_of(config, clip, parts).sentence for clip in plan if clip[:2] == (speaker, "anger")}
        for speaker in range(3)
    ]
    assert not angry[0] & angry[1] & angry[2]


def test_a_size_that_no_video_can_have_is_refused():
    with pytest.raises(ValidationError, match="even numbers were expected"):
        RenderedConfig(height=193)
