import math

import pytest
from made_up_speech import MadeUpSpeech, made_up_config
from pydantic import ValidationError

from chorale.core.config import load
from chorale.core.intervals import censored_median, log_interval, t_interval
from chorale.core.verdicts import Claimed, Comparison, judge, together
from chorale.core.wording import number
from chorale.experiments.fedtts.comparison import stages
from chorale.experiments.fedtts.comparison.arms import (
    BASE,
    BASE_INT8,
    CENTRAL,
    GROWING,
    GROWING_INT8,
    RANDOM,
    SHALLOW,
    arm_config,
    arms_of,
)
from chorale.experiments.fedtts.comparison.claims import DATA, claims_of, headlines, second_reading
from chorale.experiments.fedtts.comparison.curves import (
    Point,
    central_curve,
    federated_curve,
    first_reaching,
    instability,
)
from chorale.experiments.fedtts.comparison.figures import Training, figures_of, row_of, target_loss
from chorale.experiments.fedtts.comparison.markdown import render
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.federation import LinkConfig
from chorale.experiments.fedtts.declaration import first_stages
from chorale.experiments.fedtts.federation.links import speed_of
from chorale.experiments.fedtts.rates import learning_rate, local_rate
from chorale.experiments.fedtts.reporting.comparison_parts import comparison_parts
from chorale.experiments.fedtts.results import ARMS_STAGE, LISTS_STAGE, STORE_STAGE, SUMMARY_STAGE, TARGETS_STAGE
from chorale.runs.context import Context
from chorale.runs.directory import Run
from chorale.runs.events import Event, EventWriter, event_file
from chorale.runs.items import claim
from chorale.runs.parts import Plot, Table
from chorale.runs.stopping import StopFlag, StoppedError

pytestmark = pytest.mark.unit
SEEDS = (1, 2, 3)
# Student's t for 95 % and two degrees of freedom, from a printed table.
T2 = 4.303


def micro(**changes):
    sections = {
        "growth": {"kind": "grow"},
        "local": {"steps": 1, "batch": 2, "rate_decay": "inverse-sqrt", "warmup_rounds": 2, "rate": 0.01},
        "federation": {"rounds": 6, "reduction": 2, "evaluate_every": 1},
        "comparison": {"clients": [2, 3], "base_clients": 2, "seeds": list(SEEDS)},
    }
    return made_up_config("comparison", **{**sections, **changes})


def curve(*losses, size=10.0):
    return [Point(k, k * size, k * 2.0, k * 1.0, loss) for k, loss in enumerate(losses, 1)]


def lower(kind="ratio"):
    return Comparison("less", "a", "b", "bytes", Claimed(kind, "lower"))


def judged(arm, against, comparison=None):
    return judge(comparison or lower(), dict(enumerate(arm)), dict(enumerate(against)), 0.95)


# Curves


def test_where_a_curve_reaches_the_target_is_interpolated_between_validations():
    falling = curve(4.0, 2.0, 1.0)
    assert first_reaching(falling, 1.5, "rounds") == pytest.approx(2.5)
    assert first_reaching(falling, 1.5, "bytes") == pytest.approx(25.0)
    assert first_reaching(falling, 3.5, "simulated_s") == pytest.approx(2.5)
    assert first_reaching(falling, 1.0, "communication_s") == 3.0
    assert first_reaching(falling, 4.5, "rounds") == 1.0


def test_the_first_time_counts_though_the_loss_rises_again_and_what_is_not_reached_is_no_number():
    assert first_reaching(curve(4.0, 1.0, 3.0, 0.5), 2.0, "rounds") == pytest.approx(1 + 2 / 3)
    assert first_reaching(curve(4.0, 3.0), 2.0, "bytes") is None
    assert first_reaching([], 2.0, "bytes") is None


def test_instability_is_the_mean_rise_and_falls_count_as_nothing():
    assert instability([3.0, 1.0, 2.0, 1.5, 1.75]) == pytest.approx((1.0 + 0.25) / 4)
    assert instability([3.0, 2.0, 1.0]) == instability([2.0]) == 0.0


def test_a_federations_curve_holds_bytes_of_both_directions_and_the_time_that_sending_alone_takes():
    link = LinkConfig(profile="custom", down_mbit=8.0, up_mbit=4.0, latency_ms=100.0, speed_spread=0.5)
    config = micro(federation={"clients": 2, "rounds": 6, "reduction": 2, "link": link.model_dump()})
    told = {
        1: {"bytes/down": 2e6, "bytes/up": 1e6, "seconds/simulated": 7.0},
        2: {"bytes/down": 6e6, "bytes/up": 2e6, "seconds/simulated": 9.0, "loss/valid": 0.5},
    }
    events = [Event(name, round_, value, 0.0, 1, 0) for round_ in told for name, value in told[round_].items()]
    events.append(Event("attempt/first_step", 0, 0.0, 0.0, 1, 0))
    (point,) = federated_curve(events, config)
    slowest = min(speed_of(link, config.seed, client) for client in range(2))
    # Each client: 1 MB, then 2 MB down at 1 MB/s; twice 0.5 MB up at 0.5 MB/s; four latencies.
    assert point[:3] == (2, 8e6, 9.0) and point.loss == 0.5
    assert point.communication_s == pytest.approx((3.0 + 2.0) / slowest + 4 * 0.1)


def test_a_central_curve_counts_steps_as_rounds():
    events = [Event("loss/valid", 12, 0.5, 0.0, 1, 0), Event("loss/train", 6, 0.9, 0.0, 1, 0)]
    assert central_curve(events, 6) == [Point(2.0, 0.0, 0.0, 0.0, 0.5)]


# Statistics


def test_intervals_are_students_of_values_and_of_logarithms():
    found = t_interval([1.0, 2.0, 3.0], 0.95)
    assert found == pytest.approx((2.0, 2.0 - T2 / math.sqrt(3), 2.0 + T2 / math.sqrt(3)), abs=1e-3)
    ratios = log_interval([math.e, math.e**2, math.e**3], 0.95)
    assert [math.log(value) for value in ratios] == pytest.approx(found)
    assert t_interval([1.0], 0.95) is None
    assert log_interval([1.0, 0.0], 0.95) is None


def test_a_median_is_known_as_long_as_most_values_are():
    assert censored_median([3.0, None, 1.0]) == 3.0
    assert censored_median([3.0, None, None]) is None
    assert censored_median([1.0, 3.0, None, None]) is None
    assert censored_median([]) is None


# Verdicts


def test_an_interval_that_excludes_no_effect_decides_by_its_side():
    fewer = judged([50.0, 51.0, 49.0], [100.0, 100.0, 100.0])
    assert fewer.verdict == "supported" and fewer.estimate == pytest.approx((50 * 51 * 49) ** (1 / 3) / 100)
    assert fewer.low < fewer.estimate < fewer.high < 1
    assert judged([100.0, 100.0, 100.0], [50.0, 51.0, 49.0]).verdict == "not supported"
    assert judged([50.0, 150.0, 90.0], [100.0, 100.0, 100.0]).verdict == "undecided"
    worse = judged([1.0, 1.1, 1.2], [0.5, 0.6, 0.7], lower("difference"))
    assert worse.estimate == pytest.approx(0.5) and worse.verdict == "not supported"


def test_pairs_are_of_one_seed():
    # Between seeds the figures differ a hundredfold; within each the ratio is the same.
    assert judged([1.0, 10.0, 100.0], [2.0, 20.0, 200.0]).verdict == "supported"
    lost = judge(lower(), {1: 1.0, 2: 1.0}, {2: 2.0, 3: 2.0}, 0.95)
    assert (lost.pairs, lost.verdict, lost.estimate) == (1, "undecided", None)


def test_censored_figures_have_no_interval_and_decide_only_by_an_order_that_holds_for_every_seed():
    never = [None, None, None]
    assert judged([5.0, 6.0, 7.0], never).verdict == "supported"
    assert judged(never, [5.0, 6.0, 7.0]).verdict == "not supported"
    assert judged(never, never).verdict == "undecided"
    some = judged([5.0, 6.0, 7.0], [50.0, None, 70.0])
    assert (some.verdict, some.estimate, some.censored, some.censored_against) == ("undecided", None, 0, 1)
    assert judged([5.0, None, 7.0], never).verdict == "undecided"
    assert judged([5.0], [None]).verdict == "undecided"


def test_a_ratio_to_nothing_and_no_pairs_at_all_are_undecided():
    assert judged([1.0, 2.0], [0.0, 1.0]).verdict == "undecided"
    assert judged([], []).verdict == "undecided"


def test_a_claim_needs_all_its_parts_and_falls_with_one():
    assert together(["supported", "supported"]) == "supported"
    assert together(["supported", "undecided"]) == "undecided"
    assert together(["undecided", "not supported"]) == "not supported"


def test_the_target_is_the_median_of_other_seeds_and_a_row_counts_who_reached_it():
    config = micro()
    others = [Training(BASE, 100 + k, final, (), 1.0) for k, final in enumerate((1.0, 5.0, 2.0))]
    target = target_loss(others, 1.02)
    assert target == pytest.approx(2.04)
    ends = {1: 1.0, 2: 2.0, 3: 3.0}
    trainings = [Training(BASE, seed, end, tuple(curve(4.0, end)), 6.0) for seed, end in ends.items()]
    row = row_of(BASE, "full", trainings, figures_of(trainings, target), config.comparison)
    assert row["bytes"]["reached"] == 2 and row["bytes"]["low"] is None
    assert row["bytes"]["median"] == pytest.approx(10 + 10 * 1.96 / 2)
    assert row["final"]["median"] == 2.0
    assert row["final"]["low"] == pytest.approx(2.0 - T2 / math.sqrt(3), abs=1e-3)
    assert (row["trainings"], row["failed"], row["total_bytes"]) == (3, 0, 20.0)


# Arms


def test_arms_differ_from_the_run_in_what_they_are_named_after_and_nothing_else():
    config = micro()
    federation = config.federation
    made = {name: arm_config(config, name, 7) for name in arms_of(config)}
    assert list(made) == [
        *("central", "full", "full-3", "growing", "growing-3", "random", "shallow", "full-int8", "growing-int8")
    ]
    assert all(arm.seed == 7 and arm.data_seed == config.data_seed for arm in made.values())
    for name, arm in made.items():
        wanted = "int8" if "int8" in name else "none"
        assert (arm.federation.up.kind, arm.federation.down.kind) == (wanted, wanted)
        clients = federation.clients if name == CENTRAL else 3 if name.endswith("-3") else 2
        assert arm.federation.clients == clients
        growth = {"growing": "grow", "random": "random"}.get(name.split("-")[0], "none")
        assert arm.growth.kind == growth
        assert arm.mode == ("central" if name == CENTRAL else "federated")
        layers = 1 if name == SHALLOW else 3
        assert (arm.network.encoder_layers, arm.network.decoder_layers) == (layers, layers)
        assert (arm.local, arm.corpus, arm.loss) == (config.local, config.corpus, config.loss)
        assert arm.federation.rounds == federation.rounds
    assert made[RANDOM].growth.keep == config.growth.keep


def test_central_training_sees_as_many_utterances_at_the_same_rates_and_is_validated_as_often():
    local = {"steps": 6, "batch": 4, "rate_decay": "inverse-sqrt", "warmup_rounds": 2, "rate": 0.01}
    config = micro(local=local, federation={"rounds": 12, "reduction": 2, "evaluate_every": 3})
    recipe = arm_config(config, CENTRAL, 1).recipe
    assert (recipe.steps, recipe.batch, recipe.evaluate_every, recipe.log_every) == (72, 8, 18, 18)
    assert [stage.factor for stage in recipe.reduction] == [2]
    assert arm_config(config, CENTRAL, 1).backend.clip_norm == config.local.clip_norm
    # After the warm-up, at the end of a round, the rate is that of the clients in the next.
    assert [learning_rate(recipe, 6 * k - 1) for k in (2, 5, 11)] == pytest.approx(
        [local_rate(config.local, k) for k in (2, 5, 11)]
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"growth": {"kind": "none"}}, "growth.kind"),
        ({"local": {"steps": 1}}, "rate_decay"),
        ({"federation": {"rounds": 6, "reduction": 2, "participation": {"drop_out": 0.1}}}, "participation"),
        ({"corpus": {"held_out": 0}}, "held_out"),
        ({"comparison": {"seeds": [1, 2, 101]}}, "target_seeds"),
        ({"comparison": {"seeds": [1, 1, 2]}}, "twice"),
        ({"comparison": {"seeds": [1, 2]}}, "3 items"),
        ({"comparison": {"clients": [2, 8]}}, "base_clients"),
    ],
)
def test_what_could_not_be_compared_is_refused(changes, word):
    with pytest.raises(ValidationError, match=word):
        micro(**changes)


def test_every_claim_is_about_arms_that_are_trained(checkout):
    config = load(FedttsConfig, checkout / "configs/fedtts/claims.yaml")
    arms = set(arms_of(config))
    assert len(arms) == 11 and config.comparison.clients == (2, 4, 8)
    parts = [part for asked in claims_of(config) for part in asked.parts]
    for part in [*parts, *second_reading(), *headlines()]:
        assert {part.arm, part.against} <= arms | {DATA}
    assert len(claims_of(config)) == 4
    assert {(part.arm, part.against) for part in headlines()} >= {(GROWING, BASE), (GROWING_INT8, BASE)}
    assert (GROWING_INT8, BASE_INT8) in {(part.arm, part.against) for part in headlines()}


def test_the_stages_train_every_arm_with_every_seed_and_the_target_with_others():
    config = micro()
    declared = {stage.name: stage for stage in first_stages(config)}
    assert list(declared) == [LISTS_STAGE, STORE_STAGE, TARGETS_STAGE, ARMS_STAGE, SUMMARY_STAGE]
    items = [(item["arm"], item["seed"]) for item in declared[ARMS_STAGE].items]
    assert sorted(items) == sorted((arm, seed) for arm in arms_of(config) for seed in SEEDS)
    assert [(item["arm"], item["seed"]) for item in declared[TARGETS_STAGE].items] == [
        (BASE, seed) for seed in config.comparison.target_seeds
    ]
    assert declared[ARMS_STAGE].tolerant and not declared[TARGETS_STAGE].tolerant


def test_numbers_are_read_without_powers_of_ten():
    told = [number(value) for value in (0.0, 12.3456, 123456.7, 0.00123456, -3.372e-05, 1e-9)]
    assert told == ["0", "12.35", "123,457", "0.001235", "-0.000034", "0"]


# The whole


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.setattr(stages, "SpeechData", lambda run, config: MadeUpSpeech())
    made = Run(tmp_path / "fedtts" / "micro-0123")
    made.declare(first_stages(micro()))
    keep(made, LISTS_STAGE, 0, {"train": {"utterances": 10}, "valid": {"utterances": 3}})
    keep(made, STORE_STAGE, 0, {"train": {"frames": 200}})
    return made


def keep(run, stage, index, result):
    claim(run.stage_directory(stage), index).finish(result)


def context_of(run, stage, index, attempt=1, stop=None):
    declared = run.stages()[stage]
    events = EventWriter(event_file(run.events, stage, index, attempt, 0))
    return Context(run, declared, index, attempt, events, micro().where, stop=stop or StopFlag())


def train(run, stage, index, **attempt):
    return stages.train_arm(context_of(run, stage, index, **attempt), micro()).result


def index_of(run, arm, seed):
    return run.stages()[ARMS_STAGE].items.index({"arm": arm, "seed": seed})


@pytest.mark.parametrize("arm", [CENTRAL, GROWING_INT8])
def test_a_training_that_was_interrupted_has_the_curve_of_one_that_was_not(run, arm):
    undisturbed, disturbed = index_of(run, arm, 1), index_of(run, arm, 2)
    stage = run.stages()[ARMS_STAGE]
    items = list(stage.items)
    items[disturbed] = items[undisturbed]
    stopping = StopFlag()
    stopping.set("preempted")
    context = context_of(run, ARMS_STAGE, disturbed, stop=stopping)
    object.__setattr__(context, "stage", stage.model_copy(update={"items": tuple(items)}))
    with pytest.raises(StoppedError):
        stages.train_arm(context, micro())
    again = context_of(run, ARMS_STAGE, disturbed, attempt=2)
    object.__setattr__(again, "stage", context.stage)
    told, wanted = stages.train_arm(again, micro()).result, train(run, ARMS_STAGE, undisturbed)
    assert told["curve"] == wanted["curve"] and len(told["curve"]) == 6
    assert told["seed"] == 1


def test_a_micro_comparison_ends_with_verdicts_a_table_and_a_page(run):
    keep(run, TARGETS_STAGE, 0, train(run, TARGETS_STAGE, 0))
    for arm in (BASE, GROWING):
        for seed in SEEDS:
            index = index_of(run, arm, seed)
            keep(run, ARMS_STAGE, index, train(run, ARMS_STAGE, index))
    before = comparison_parts(run, micro())
    result = stages.compare(context_of(run, SUMMARY_STAGE, 0), micro()).result
    assert result["target"] == pytest.approx(1.02 * result["target_finals"][0])
    rows = {row["arm"]: row for row in result["rows"]}
    assert (rows[BASE]["trainings"], rows[RANDOM]["trainings"], rows[RANDOM]["failed"]) == (3, 0, 3)
    # Fewer layers at first are fewer bytes in as many rounds.
    assert rows[GROWING]["total_bytes"] < rows[BASE]["total_bytes"]
    assert result["data_bytes"] == 200 * 8 * 4
    by_pair = {(part["arm"], part["against"]): part for part in result["headlines"]}
    assert by_pair[GROWING, BASE]["pairs"] == 3
    assert by_pair[GROWING_INT8, BASE]["verdict"] == "undecided"
    # No central training and so no pairs: the first claim cannot be decided.
    assert result["claims"][0]["verdict"] == "undecided"
    text = render(result)
    for asked in claims_of(micro()):
        assert asked.text in text
    assert "not reached" in text or rows[GROWING]["bytes"]["reached"] == 3
    after = comparison_parts(run, micro())
    assert [part.title for part in before if isinstance(part, Plot)] == [p.title for p in after if isinstance(p, Plot)]
    tables = [part for part in after if isinstance(part, Table)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    labels = [each.label for plot in after if isinstance(plot, Plot) for each in plot.series]
    assert labels.count("growing depth, 2 clients") == 3 and "target" in labels
