"""A candidate that is preempted goes on from its checkpoint; one network without a search trains on ranks."""

from dataclasses import replace

import pytest
import torch

from chorale.core.errors import InputError
from chorale.core.files import read_json
from chorale.experiments.autovector.reporting.parts import report_parts
from chorale.experiments.autovector.stages.search import candidate
from chorale.runs.context import Context
from chorale.runs.events import EventWriter, event_file
from chorale.runs.stopping import StopFlag, StoppedError

pytestmark = pytest.mark.unit
UNTIMED = ("seconds", "source")
SINGLE = {
    "search": {"algorithm": "none"},
    "backend": {"kind": "ddp", "nodes": 2},
    "recipe": {"dropout": 0.1, "steps": 6},
}


class StopAfter(StopFlag):
    """Set once it has been looked at so often; the loop looks once a step."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def __bool__(self):
        self.left -= 1
        return self.left < 0


def stage_context(run, name, index, attempt, stop=None):
    events = EventWriter(event_file(run.events, name, index, attempt, 0))
    context = Context(run, run.stages()[name], index, attempt, events, run.config.where)
    return context if stop is None else replace(context, stop=stop)


def without_time(result):
    return {key: value for key, value in result.items() if key not in UNTIMED}


def test_a_preempted_candidate_goes_on_from_its_checkpoint_and_ends_with_the_same_numbers(voices, tmp_path, tools):
    changes = {"recipe": {"dropout": 0.2, "steps": 6}}
    whole = tools["carry_out"](tools["begin"](tools["config"](voices, tmp_path / "1", **changes)), until="breed-001")
    run = tools["carry_out"](tools["begin"](tools["config"](voices, tmp_path / "2", **changes)), until="generation-000")
    stopped = stage_context(run, "generation-000", 0, 1, StopAfter(3))
    with pytest.raises(StoppedError, match="stopped and saved after step 4 of 6"):
        candidate(stopped, run.config)
    assert len(list(stopped.checkpoints.glob("step-*"))) == 1
    again = stage_context(run, "generation-000", 0, 2)
    result = candidate(again, run.config).result
    expected = whole.items(whole.stages()["generation-000"])[0].result
    assert without_time(result) == without_time(expected)
    first = (run.events / "generation-000" / "000000.2-0.jsonl").read_text().splitlines()[0]
    assert '"attempt/first_step": 4' in first
    # Once the result is kept, checkpoints are of no more use.
    assert not again.checkpoints.exists()


def test_a_candidate_whose_checkpoint_lacks_a_random_state_does_not_end_the_same(voices, tmp_path, tools):
    results = []
    for left_out in (None, "python"):
        changes = {"recipe": {"dropout": 0.2, "steps": 6}, "checkpoint": {"leave_out": left_out}}
        run = tools["begin"](tools["config"](voices, tmp_path / str(left_out), **changes))
        tools["carry_out"](run, until="generation-000")
        with pytest.raises(StoppedError):
            candidate(stage_context(run, "generation-000", 0, 1, StopAfter(3)), run.config)
        results.append(candidate(stage_context(run, "generation-000", 0, 2), run.config).result)
    assert results[0]["loss"] != results[1]["loss"]


def test_without_a_search_one_network_is_trained_on_ranks_and_evaluated(voices, tmp_path, tools):
    run = tools["begin"](tools["config"](voices, tmp_path, **SINGLE))
    stage = run.stages()["train"]
    assert (stage.kind, stage.resources.nodes, stage.resources.ranks_per_node) == ("ranks", 2, 1)
    tools["carry_out"](run)
    assert set(run.stages()) == {"lists", "features", "store", "train", "summary"}
    (trained,) = run.items(stage)
    (summary,) = run.items(run.stages()["summary"])
    assert summary.result == read_json(run.artifacts / "summary.json")
    assert summary.result["parameter_hash"] == trained.result["parameter_hash"]
    assert len(summary.result["parameter_hash"]) == 64 and summary.result["world_size"] == 1
    (row,) = summary.result["rows"]
    assert row["network"] == "x-vector" and row["eer"] == summary.result["eer"] and 0 <= row["eer"] <= 1
    network = torch.load(run.artifacts / "networks/x-vector.pt", weights_only=True)
    assert "embedding.weight" in network
    titles = [part.title for part in report_parts(run, run.config)]
    assert titles[:2] == ["What was measured", "Final comparison"]
    assert "Training" in titles and "Candidates" not in titles


def test_the_report_of_a_single_network_works_before_its_end(voices, tmp_path, tools):
    run = tools["carry_out"](tools["begin"](tools["config"](voices, tmp_path, **SINGLE)), until="summary")
    assert "The training goes on" in {part.title for part in report_parts(run, run.config)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backend": {"kind": "ddp"}}, "a search trains each candidate in one process"),
        ({**SINGLE, "backend": {"kind": "ddp", "nodes": 50}}, "one sample for each of 50 ranks"),
    ],
)
def test_a_backend_that_does_not_fit_is_refused_in_one_line(changes, told, voices, tmp_path, tools):
    with pytest.raises(InputError, match=told):
        tools["config"](voices, tmp_path, **changes)
