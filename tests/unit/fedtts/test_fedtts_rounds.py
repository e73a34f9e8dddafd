import dataclasses
import json

import numpy as np
import pytest
from small_federation import (
    DEEP,
    GROWS_AT,
    SHAPES,
    STAGE,
    KilledError,
    QuadraticTrainer,
    Scenario,
    attempt_at,
    carry_out,
    depth_at,
    initial,
    told,
)
from threads import on_threads

from chorale.core.errors import WorkError
from chorale.ranks.channel import LostRankError
from chorale.ranks.group import SingleProcess
from chorale.runs.events import read_events

pytestmark = pytest.mark.unit
BASE = {"clients": 7, "rounds": 5, "evaluate_every": 2}
SCENARIOS = {
    "exact": {},
    "int8 both ways": {"down": {"kind": "int8"}, "up": {"kind": "int8"}},
    "top-k up": {"up": {"kind": "top-k", "share": 0.3}},
    "top-k both ways": {"down": {"kind": "top-k", "share": 0.3}, "up": {"kind": "top-k", "share": 0.3}},
    "zstd": {"up": {"kind": "bf16", "lossless": True}, "down": {"kind": "fp16", "lossless": True}},
    "no cache": {"client_cache": False},
    "sampled": {"participation": {"per_round": 4, "drop_out": 0.3}, "strategy": {"kind": "fedadam", "rate": 0.1}},
    "deadline": {"participation": {"deadline_s": 0.25}, "strategy": {"kind": "fedprox", "mu": 0.5}},
    "scaffold": {"strategy": {"kind": "scaffold"}, "participation": {"per_round": 4}, "up": {"kind": "int8"}},
    "secure": {"privacy": {"secure_aggregation": True, "threshold": 0.4}, "participation": {"drop_out": 0.3}},
    "central noise": {
        "privacy": {"dp": "central", "noise": 0.5},
        "strategy": {"weights": "uniform"},
        "up": {"kind": "top-k"},
    },
    "local noise": {"privacy": {"dp": "local", "noise": 0.5}, "strategy": {"weights": "uniform"}},
}


def scenario(directory, growth="none", stops=(None,), kill=None, **config):
    return Scenario(str(directory), {**BASE, **config}, stops, growth, kill)


def alone():
    return SingleProcess()


def on_ranks(made, size, attempts=(1,)):
    """How a scenario ended on so many threads; the outcomes of the last attempt if it did not end well."""
    if size == 1:
        return carry_out(made)
    for attempt in attempts:
        outcomes = on_threads(size, lambda group, channel: attempt_at(made, attempt, group, channel))  # noqa: B023
    return outcomes if isinstance(outcomes[0], Exception) else told(made, outcomes[0])


def same(one, other, physical=False):
    keys = ["hash", "metrics", "logical", *(["physical"] if physical else [])]
    assert [key for key in keys if one[key] != other[key]] == []


WITH_GROWTH = [(name, "grow") for name in SCENARIOS] + [(name, "random") for name in ("top-k both ways", "scaffold")]


@pytest.mark.parametrize(("name", "growth"), WITH_GROWTH)
def test_any_number_of_ranks_adding_up_or_not_comes_to_the_same_bits(name, growth, tmp_path):
    expected = on_ranks(scenario(tmp_path / "alone", growth, **SCENARIOS[name]), 1)
    for size, adds_up in ((2, True), (4, False)):
        made = scenario(tmp_path / f"{size}-{adds_up}", growth, aggregate_in_rank=adds_up, **SCENARIOS[name])
        same(on_ranks(dataclasses.replace(made, every_rounds=None), size), expected)


def test_the_seconds_of_each_save_are_an_event(tmp_path):
    carry_out(dataclasses.replace(scenario(tmp_path), every_rounds=2))
    events = [event for event in read_events(tmp_path / "events", STAGE, 0) if event.name == "checkpoint/seconds"]
    assert [event.step for event in events] == [2, 4, 5]
    assert all(event.value > 0 for event in events)


@pytest.mark.parametrize(("lead_s", "warnings"), [("0.0001", 1), ("120", 0)])
def test_a_lead_in_which_no_round_fits_is_one_warning_with_a_remedy(lead_s, warnings, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CHORALE_SIGNAL_LEAD_S", lead_s)
    carry_out(scenario(tmp_path))
    told_of = [record.getMessage() for record in caplog.records if "the signal comes" in record.getMessage()]
    assert len(told_of) == warnings
    assert all("--signal=USR2@1" in line and "fewer steps in a round" in line for line in told_of)


def test_the_scenarios_that_are_compared_differ_from_one_another(tmp_path):
    hashes = {on_ranks(scenario(tmp_path / name, **config), 1)["hash"] for name, config in SCENARIOS.items()}
    # Without a cache, the same is sent more often; secure aggregation hides what is the same, but some drop out.
    assert len(hashes) == len(SCENARIOS) - 1


@pytest.mark.parametrize(("name", "growth"), WITH_GROWTH)
def test_stopped_after_every_round_it_ends_as_if_it_had_never_stopped(name, growth, tmp_path):
    undisturbed = on_ranks(scenario(tmp_path / "1", growth, **SCENARIOS[name]), 2)
    made = scenario(tmp_path / "2", growth, stops=(0, 1, 2, 3, None), **SCENARIOS[name])
    disturbed = on_ranks(made, 2, attempts=(1, 2, 3, 4, 5))
    same(disturbed, undisturbed, physical=True)
    if "participation" not in SCENARIOS[name]:
        assert disturbed["first_steps"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["exact", "top-k both ways", "scaffold", "secure"])
@pytest.mark.parametrize("killed", [0, 2])
def test_killed_in_the_middle_of_a_round_it_ends_as_if_nothing_had_happened(name, killed, tmp_path):
    config = {**SCENARIOS[name], "participation": {}}
    undisturbed = on_ranks(scenario(tmp_path / "1", "grow", **config), 3)
    made = scenario(tmp_path / "2", "grow", stops=(None, None), kill=(killed, 3), **config)
    first = on_ranks(made, 3)
    assert isinstance(first[killed], KilledError)
    assert all(isinstance(error, LostRankError) for rank, error in enumerate(first) if rank != killed)
    same(on_ranks(made, 3, attempts=(2,)), undisturbed, physical=True)


def test_saved_seldom_and_killed_it_does_rounds_again_and_tells_their_bytes_once(tmp_path):
    undisturbed = on_ranks(scenario(tmp_path / "1"), 2)
    made = dataclasses.replace(scenario(tmp_path / "2", stops=(None, None), kill=(1, 3)), every_rounds=2)
    on_ranks(made, 2)
    again = on_ranks(made, 2, attempts=(2,))
    assert again["first_steps"] == [0, 2]
    same(again, undisturbed, physical=True)


@pytest.mark.parametrize("name", ["exact", "top-k both ways", "scaffold"])
def test_another_number_of_ranks_goes_on(name, tmp_path):
    undisturbed = on_ranks(scenario(tmp_path / "1", "grow", **SCENARIOS[name]), 1)
    made = scenario(tmp_path / "2", "grow", stops=(None, None, None), **SCENARIOS[name])
    halves = dataclasses.replace(made, kill=(0, 2))
    on_threads(4, lambda group, channel: attempt_at(halves, 1, group, channel))
    ended = on_threads(3, lambda group, channel: attempt_at(made, 2, group, channel))
    same(told(made, ended[0]), undisturbed)


@pytest.mark.parametrize("name", ["scaffold", "top-k up"])
def test_a_checkpoint_without_the_clients_files_does_not_go_on_the_same(name, tmp_path):
    undisturbed = on_ranks(scenario(tmp_path / "1", **SCENARIOS[name]), 1)
    made = scenario(tmp_path / "2", stops=(1, None), **SCENARIOS[name])
    attempt_at(made, 1, alone())
    for directory in (tmp_path / "2" / "checkpoints").rglob("step-*"):
        manifest = json.loads((directory / "manifest.json").read_text())
        for path in directory.glob("client-*.npz"):
            path.unlink()
            del manifest["files"][path.name]
        (directory / "manifest.json").write_text(json.dumps(manifest))
    assert told(made, attempt_at(made, 2, alone()))["hash"] != undisturbed["hash"]


def test_a_round_of_fedavg_is_the_mean_by_frames_of_what_clients_trained(tmp_path):
    made = scenario(tmp_path, clients=3, rounds=1)
    ended = attempt_at(made, 1, alone())
    trainer = QuadraticTrainer(3, made.steps)
    sizes = trainer.sizes()
    for name, begin in initial(list(SHAPES)).items():
        # Two steps of gradient descent at rate 0.1 leave 0.81 of the distance.
        ends = [target + 0.81 * (begin - target) for target in (trainer.target(c, name, begin.shape) for c in range(3))]
        mean = sum(size * end for size, end in zip(sizes, ends, strict=True)) / sum(sizes)
        assert np.allclose(ended.tensors[name], mean, atol=1e-6)


def test_the_global_tensors_come_to_the_clients_mean(tmp_path):
    ended = attempt_at(scenario(tmp_path, clients=3, rounds=60, strategy={"weights": "uniform"}), 1, alone())
    trainer = QuadraticTrainer(3, 2)
    for name, value in ended.tensors.items():
        best = sum(trainer.target(client, name, value.shape) for client in range(3)) / 3
        assert np.allclose(value, best, atol=0.03)


def column(result, **wanted):
    """Serialised bytes of the logical rows that fit."""
    names = ("round", "client", "rank", "direction", "group", "kind")
    return sum(
        row[-1] for row in result["logical"] if all(row[names.index(name)] == value for name, value in wanted.items())
    )


def test_only_what_has_changed_is_sent_and_only_what_was_trained_comes_back(tmp_path):
    result = on_ranks(scenario(tmp_path, "grow", rounds=5), 1)
    new = {"encoder.layers.1", "decoder.layers.1"}
    warm_up = {row[4] for row in result["logical"] if row[0] == GROWS_AT and row[3] == "up"} - {"header", "metrics"}
    assert warm_up == new
    after = {row[4] for row in result["logical"] if row[0] == GROWS_AT + 1 and row[3] == "down"} - {"header"}
    assert after == new
    everything = on_ranks(scenario(tmp_path / "all", "grow", rounds=5, client_cache=False), 1)
    assert column(everything, direction="down", round=3) > 1.8 * column(result, direction="down", round=3)
    assert everything["hash"] == result["hash"]


def test_no_layer_is_sent_that_the_round_does_not_have_and_it_keeps_its_value(tmp_path):
    shallow = next(round_ for round_ in range(20) if depth_at("random", round_) != DEEP)
    made = scenario(tmp_path, "random", rounds=shallow + 1)
    ended = attempt_at(made, 1, alone())
    result = told(made, ended)
    assert column(result, round=shallow, group="encoder.layers.1") == 0
    before = attempt_at(scenario(tmp_path / "before", "random", rounds=shallow), 1, alone()) if shallow else None
    expected = before.tensors if before else initial(list(SHAPES))
    assert np.array_equal(ended.tensors["encoder.layers.1.weight"], expected["encoder.layers.1.weight"])
    assert not np.array_equal(ended.tensors["embedding.weight"], expected["embedding.weight"])


def test_a_client_that_comes_back_is_sent_what_it_missed(tmp_path):
    result = on_ranks(scenario(tmp_path, participation={"per_round": 2}, clients=3), 1)
    seen: dict[int, int] = {}
    for round_ in range(5):
        for client in {row[1] for row in result["logical"] if row[0] == round_}:
            # Everything changes in every round, so each download is whole.
            size = column(result, round=round_, client=client, direction="down", group="embedding")
            assert size == seen.setdefault(client, size)


def test_who_drops_out_has_downloaded_and_uploads_nothing(tmp_path):
    result = on_ranks(scenario(tmp_path, participation={"drop_out": 0.5}), 1)
    absent = {(row[0], row[1]) for row in result["logical"] if row[5] == "dropped"}
    answered = {(row[0], row[1]) for row in result["logical"] if row[3] == "up"}
    assert absent
    assert answered
    assert absent.isdisjoint(answered)
    assert all(row[3] == "down" for row in result["logical"] if row[5] == "dropped")
    counted = {step: value for step, name, value in result["metrics"] if name == "clients/dropped"}
    assert sum(counted.values()) == len(absent)


def test_an_answer_after_the_deadline_is_counted_in_bytes_and_in_nothing_else(tmp_path):
    result = on_ranks(scenario(tmp_path / "1", rounds=1, participation={"deadline_s": 0.25}), 1)
    late = {row[1] for row in result["logical"] if row[5] == "late"}
    assert 0 < len(late) < 7
    values = {name: value for _, name, value in result["metrics"]}
    assert values["clients/late"] == len(late)
    assert values["seconds/simulated"] == 0.25
    nobody = attempt_at(scenario(tmp_path / "2", rounds=1, participation={"deadline_s": 0.01}), 1, alone())
    begin = initial(list(SHAPES))
    assert all(np.array_equal(nobody.tensors[name], begin[name]) for name in SHAPES)


def test_scaffold_sends_control_variates_both_ways_and_changes_the_second_round(tmp_path):
    plain = attempt_at(scenario(tmp_path / "1", rounds=1), 1, alone())
    first = attempt_at(scenario(tmp_path / "2", rounds=1, strategy={"kind": "scaffold"}), 1, alone())
    assert all(np.array_equal(plain.tensors[name], first.tensors[name]) for name in SHAPES)
    made = scenario(tmp_path / "3", strategy={"kind": "scaffold"})
    result = told(made, attempt_at(made, 1, alone()))
    assert column(result, kind="control", direction="down") > 0
    assert column(result, kind="control", direction="up") > 0
    assert result["hash"] != on_ranks(scenario(tmp_path / "4"), 1)["hash"]


def test_secure_aggregation_gives_the_same_tensors_and_tells_what_it_costs(tmp_path):
    plain = on_ranks(scenario(tmp_path / "1"), 1)
    secure = on_ranks(scenario(tmp_path / "2", privacy={"secure_aggregation": True}), 1)
    assert secure["hash"] == plain["hash"]
    assert all(column(secure, kind=kind) > 0 for kind in ("keys", "shares", "masks"))


def test_a_round_with_too_few_answers_for_secure_aggregation_is_void(tmp_path):
    config = {"privacy": {"secure_aggregation": True, "threshold": 1.0}, "participation": {"drop_out": 0.6}}
    ended = attempt_at(scenario(tmp_path, rounds=1, **config), 1, alone())
    assert all(np.array_equal(ended.tensors[name], value) for name, value in initial(list(SHAPES)).items())


def test_with_drop_a_rank_that_fails_takes_its_clients_with_it_and_the_rest_goes_on(tmp_path):
    config = {"participation": {"lost_rank": "drop"}, "up": {"kind": "top-k"}}
    made = scenario(tmp_path / "1", stops=(None, None), kill=(2, 1), **config)
    outcomes = on_threads(4, lambda group, channel: attempt_at(made, 1, group, channel))
    assert isinstance(outcomes[2], KilledError)
    assert outcomes[1] is outcomes[3] is None
    result = told(made, outcomes[0])
    # Clients 2 and 6 lived there.
    assert {row[1] for row in result["logical"] if row[0] == 1 and row[3] == "up"} == {0, 1, 3, 4, 5}
    assert {row[1] for row in result["logical"] if row[0] == 4} == {0, 1, 3, 4, 5}
    assert [value for _, name, value in result["metrics"] if name == "clients/dropped"] == [0, 2, 2, 2, 2]
    assert [row[:3] for row in result["physical"] if row[5] == "lost-rank"] == [[1, -1, 2]]
    saved = max((tmp_path / "1" / "checkpoints").rglob("step-*"))
    assert sorted(path.name for path in saved.glob("client-*")) == [f"client-{c:06d}.npz" for c in (0, 1, 3, 4, 5)]


def test_with_drop_and_nobody_lost_the_result_is_the_same(tmp_path):
    made = scenario(tmp_path / "1", participation={"lost_rank": "drop"}, up={"kind": "top-k"})
    same(on_ranks(made, 3), on_ranks(scenario(tmp_path / "2", up={"kind": "top-k"}), 3))


def test_an_update_that_is_not_finite_ends_the_run_and_names_the_tensor(tmp_path):
    class Diverging(QuadraticTrainer):
        def train(self, work):
            result = super().train(work)
            result.delta["output.bias"][0] = np.nan
            return result

    import small_federation

    made = scenario(tmp_path)
    federation = dataclasses.replace(small_federation.federation_of(made), trainer=Diverging(7, 2))
    context = small_federation.context_of(tmp_path, 1, alone(), small_federation.StopFlag())
    with pytest.raises(WorkError, match=r"output\.bias.*not finite"):
        small_federation.run_rounds(federation, context)


def test_a_thousand_clients_on_four_ranks_take_seconds(tmp_path):
    config = {"clients": 1000, "rounds": 2, "train": False, "evaluate_every": 100}
    made = dataclasses.replace(Scenario(str(tmp_path / "4"), config), noise_values=8000)
    four = on_ranks(made, 4)
    one = carry_out(dataclasses.replace(made, directory=str(tmp_path / "1")))
    same(four, one)
    assert one["seconds"] < 20
