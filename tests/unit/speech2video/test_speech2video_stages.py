import pytest
from pydantic import ValidationError

from chorale.experiments.speech2video.config import SpeechVideoConfig
from chorale.experiments.speech2video.declaration import faces_array, first_stages

pytestmark = pytest.mark.unit


def names(**changes):
    return [stage.name for stage in first_stages(SpeechVideoConfig(**changes))]


def test_a_rendered_corpus_is_drawn_before_it_is_read():
    stages = {stage.name: stage for stage in first_stages(SpeechVideoConfig(shard_clips=100))}
    assert list(stages) == ["heads", "render", "lists", "store", "summary"]
    assert stages["render"].kind == "array" and stages["render"].items == (0, 1, 2), "288 clips, 100 a task"
    assert [stages[name].needs for name in ("render", "lists", "store")] == [("heads",), ("render",), ("faces",)]


def test_real_clips_are_read_at_once_and_the_encoder_is_trained_last():
    real = {"rendered": None, "corpus": {"layout": "talking-real"}}
    assert names(**real) == ["lists", "store", "summary"]
    assert names(**real, mode="listen") == ["lists", "store", "listen", "summary"]
    assert names(**real, mode="teach") == ["lists", "store", "listen", "teach-emotion", "teach-identity", "summary"]


def test_every_stage_s_function_can_be_imported():
    for stage in [*first_stages(SpeechVideoConfig(mode="teach")), faces_array(2)]:
        assert callable(stage.load())


def test_ranks_are_asked_for_as_the_backend_wishes():
    config = SpeechVideoConfig(mode="listen", backend={"kind": "deepspeed", "nodes": 2, "ranks_per_node": 2})
    (listen,) = (stage for stage in first_stages(config) if stage.name == "listen")
    assert listen.kind == "ranks" and (listen.resources.nodes, listen.resources.ranks_per_node) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"rendered": None}, "exactly one of them was expected"),
        ({"corpus": {"layout": "talking-real"}}, "exactly one of them was expected"),
        (
            {"speech": {"batch": 2}, "backend": {"kind": "ddp", "ranks_per_node": 3}},
            "speech.batch 2 does not go round 3 ranks",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, complaint):
    with pytest.raises(ValidationError, match=complaint):
        SpeechVideoConfig(**changes)
