"""Claims about whole runs: from labelled points to a student, its page, and arms side by side."""

import pytest
import torch

from chorale.core.errors import InputError
from chorale.core.files import read_json
from chorale.core.wording import effect_of, interval_of
from chorale.experiments.datafree.comparison.arms import all_arms, arm_config, arms_of
from chorale.experiments.datafree.comparison.markdown import render
from chorale.experiments.datafree.experiment import Datafree
from chorale.experiments.datafree.results import (
    FORECAST_FILE,
    STUDENT_FILE,
    TEACHER_FILE,
    TEACHER_RECORD,
    networks_folder,
)
from chorale.experiments.datafree.stages.distilling import distil
from chorale.experiments.datafree.stages.teaching import make_teacher
from chorale.runs.items import State
from chorale.runs.parts import Plot, Table
from chorale.runs.stopping import StopFlag, StoppedError

pytestmark = pytest.mark.unit
TIMES = ("seconds", "cpu_s", "memory_gib")


class StopAfter(StopFlag):
    """Set once it has been looked at so often; the loop looks once a step."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def __bool__(self):
        self.left -= 1
        return self.left < 0


def without_times(result):
    return {key: value for key, value in result.items() if key not in TIMES}


def test_a_run_ends_with_a_student_its_figures_and_a_page(tools, tmp_path):
    run = tools["carry_out"](tools["begin"](tools["config"](tmp_path)))
    summary = read_json(run.artifacts / "summary.json")
    student = summary["student"]
    assert student["best"] >= student["final"] and student["best"] >= student["mean"]
    assert student["queries"] == 1920 and student["rounds"] == 10 and student["student_updates"] == 50
    assert [step for step, _ in student["curve"]] == [2, 4, 6, 8, 10]
    assert student["final"] == student["curve"][-1][1]
    assert 0 <= student["agreement"] <= 1 and student["diversity"] > 0
    record = read_json(run.artifacts / TEACHER_RECORD)
    assert record["recipe"]["steps"] == 60 and record["seed"] == 0 and record["accuracy"] > 0.7
    assert record["curve"][-1][1] == record["accuracy"]
    parts = Datafree().report(run, run.config)
    titles = [part.title for part in parts]
    assert {"What came of it", "The plane", "Accuracy over the rounds", "The teacher"} <= set(titles)
    plane = next(part for part in parts if isinstance(part, Plot) and part.title == "The plane")
    assert {"teacher's boundary", "student's boundary", "generated"} <= {series.label for series in plane.series}


def test_a_forecast_is_said_before_the_teacher_is_trained_and_changes_no_result(tools, tmp_path):
    plain = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "1")), "teacher", "distil")
    run = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "2", trial=2)), "teacher", "distil")
    told = read_json(run.artifacts / FORECAST_FILE)
    assert told["teacher_steps"] == 60 and told["rounds"] == 10
    expected = (60 * told["teacher_step_s"] + 10 * told["round_s"]) / 3600
    assert told["hours"] == pytest.approx(expected) and expected > 0
    assert "10 rounds" in told["words"]
    assert not (plain.artifacts / FORECAST_FILE).exists()
    for stage in ("teacher", "distil"):
        one, other = (of.items(of.stages()[stage])[0].result for of in (plain, run))
        assert without_times(one) == without_times(other)
    assert any("How long" in part.title for part in Datafree().report(run, run.config))


def test_where_the_teacher_is_given_the_forecast_is_of_the_distillation_alone(tools, tmp_path):
    first = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "1")), "teacher")
    own = tools["config"](tmp_path / "2", teacher={"weights": str(first.artifacts / TEACHER_FILE)}, trial=1)
    run = tools["carry_out"](tools["begin"](own), "teacher")
    told = read_json(run.artifacts / FORECAST_FILE)
    assert told["teacher_steps"] == 0 and told["hours"] == pytest.approx(10 * told["round_s"] / 3600)


def test_a_distillation_that_was_stopped_goes_on_and_ends_with_the_same_numbers(tools, tmp_path):
    changes = {"method": {"activation": {"weight": 0.1}, "interpolation": {"kind": "mixed"}}}
    whole = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "1", **changes)), "teacher", "distil")
    run = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "2", **changes)), "teacher")
    with pytest.raises(StoppedError, match="stopped and saved after step 4 of 10"):
        distil(tools["context"](run, "distil", 0, 1, StopAfter(3)), run.config)
    again = distil(tools["context"](run, "distil", 0, 2), run.config).result
    expected = whole.items(whole.stages()["distil"])[0].result
    assert without_times(again) == without_times(expected)
    assert '"attempt/first_step": 4' in (run.events / "distil" / "000000.2-0.jsonl").read_text().splitlines()[0]
    states = [torch.load(networks_folder(one) / STUDENT_FILE, weights_only=True) for one in (whole, run)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_users_own_teacher_is_taken_as_it_is(tools, tmp_path):
    first = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "1")), "teacher")
    weights = first.artifacts / TEACHER_FILE
    own = tools["config"](tmp_path / "2", teacher={"weights": str(weights)})
    second = tools["carry_out"](tools["begin"](own), "teacher")
    records = [read_json(run.artifacts / TEACHER_RECORD) for run in (first, second)]
    assert records[0]["parameter_hash"] == records[1]["parameter_hash"]
    assert records[0]["accuracy"] == records[1]["accuracy"]
    assert records[1]["source"] == str(weights)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda state: {**state, "more": torch.zeros(1)}, r"weights of another network \(0 tensors missing, 1 unknown"),
        (lambda state: [1, 2], "not a state dictionary"),
        (
            lambda state: {name: value[:, :1] if value.dim() == 2 else value for name, value in state.items()},
            "was expected",
        ),
    ],
    ids=["another", "list", "shape"],
)
def test_weights_that_do_not_fit_are_told_in_one_line(tools, tmp_path, spoil, line):
    first = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "1")), "teacher")
    weights = tmp_path / "own.pt"
    torch.save(spoil(torch.load(first.artifacts / TEACHER_FILE, weights_only=True)), weights)
    run = tools["begin"](tools["config"](tmp_path / "2", teacher={"weights": str(weights)}))
    with pytest.raises(InputError, match=line) as caught:
        make_teacher(tools["context"](run, "teacher", 0, 1), run.config)
    assert str(weights) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_weights_is_told_in_one_line(tools, tmp_path):
    text = tmp_path / "text.pt"
    text.write_text("no weights")
    for path, line in ((tmp_path / "none.pt", "no such file"), (text, "not a state dictionary")):
        run = tools["begin"](tools["config"](tmp_path / path.stem, teacher={"weights": str(path)}))
        with pytest.raises(InputError, match=line) as caught:
            make_teacher(tools["context"](run, "teacher", 0, 1), run.config)
        assert "\n" not in str(caught.value)


def test_a_teacher_worse_than_required_ends_the_run(tools, tmp_path):
    teacher = {"steps": 1, "warmup_steps": 0, "rate": 1e-6, "required_accuracy": 0.999}
    run = tools["carry_out"](tools["begin"](tools["config"](tmp_path, teacher=teacher)), "teacher")
    (record,) = run.items(run.stages()["teacher"])
    assert record.state is State.FAILED
    assert "are required" in record.message and "teacher.steps" in record.message


def test_arms_have_one_teacher_one_first_student_and_one_budget(tools, tmp_path):
    config = tools["config"](tmp_path, mode="comparison", method={"activation": {"weight": 0.1}})
    assert len(all_arms()) == 11
    for name in all_arms():
        own = arm_config(config, name, 3)
        assert own.seed == 3 and own.mode == "distil"
        assert (own.teacher, own.schedule, own.generator) == (config.teacher, config.schedule, config.generator)
        assert own.student.network == config.student.network and own.student.rate == config.student.rate
    assert arm_config(config, "dfad", 0).method.activation.weight == 0.0
    assert arm_config(config, "dfad-ar", 0).method.activation.weight == 0.1
    assert arm_config(config, "dfad-ar", 0).method.interpolation.kind == "none"
    assert arm_config(config, "dfad-vi", 0).method.activation.weight == 0.0
    assert arm_config(config, "dfad-vi", 0).method.interpolation.kind == "mixed"
    assert arm_config(config, "dfad-l2", 0).method.activation.kind == "l2"
    assert arm_config(config, "dfad-unmixed", 0).method.interpolation.kind == "unmixed"


def test_an_arm_that_there_is_not_is_told(tools, tmp_path):
    changes = {"comparison": {"arms": ["dfat"]}, "method": {"activation": {"weight": 0.1}}}
    config = tools["config"](tmp_path, mode="comparison", **changes)
    with pytest.raises(InputError, match=r"no arm 'dfat'.*did you mean dfad"):
        arms_of(config)


def test_a_comparison_has_a_verdict_for_each_claim_from_paired_seeds(tools, tmp_path):
    comparison = {"arms": ["noise", "real", "dfad", "dfad-ar", "dfad-vi", "dfad-ar-vi"], "seeds": [0, 1]}
    config = tools["config"](tmp_path, mode="comparison", comparison=comparison, method={"activation": {"weight": 0.1}})
    run = tools["carry_out"](tools["begin"](config))
    summary = read_json(run.artifacts / "summary.json")
    assert [row["runs"] for row in summary["rows"]] == [2] * 6
    assert len(summary["claims"]) == 3
    assert all({"agreement", "final", "mean", "best"} <= set(row) for row in summary["rows"])
    assert "boundary_mismatch" in summary["rows"][3] and "boundary_mismatch" not in summary["rows"][2]
    effect = summary["controls"][0]
    finals = {row["arm"]: [curve[-1][1] for curve in row["curves"]] for row in summary["rows"]}
    differences = [real - noise for real, noise in zip(finals["real"], finals["noise"], strict=True)]
    assert effect["estimate"] == pytest.approx(sum(differences) / 2)
    assert interval_of(effect) != "–"
    # The toy's neurons correspond through the regularizer's connectors alone: without them there is nothing to compare.
    mismatch = summary["claims"][0]["parts"][0]
    assert (mismatch["figure"], mismatch["pairs"], mismatch["verdict"]) == ("boundary_mismatch", 0, "undecided")
    assert effect_of(mismatch) == "not measured of both"
    # Arms that were not asked for leave their comparisons undecided.
    assert summary["controls"][1]["pairs"] == 0 and summary["controls"][1]["verdict"] == "undecided"
    text = render(summary)
    assert "| DFAD + AR + VI | 2 |" in text and "2102.11638" in text
    parts = Datafree().report(run, config)
    assert [part.title for part in parts if isinstance(part, Table)] == ["Claims", "Controls", "Arms"]
    planes = {part.title: part for part in parts if isinstance(part, Plot) and part.title.startswith("The plane: ")}
    assert set(planes) == {f"The plane: {arm.label}" for arm in arms_of(config).values()}
    assert all(
        {"teacher's boundary", "student's boundary"} <= {one.label for one in plane.series} for plane in planes.values()
    )
    asked = [
        next(one.x for one in planes[f"The plane: {arm}"].series if one.label == "generated")
        for arm in ("DFAD", "DFAD + AR", "DFAD + VI")
    ]
    assert asked[0] != asked[1] != asked[2] != asked[0]
