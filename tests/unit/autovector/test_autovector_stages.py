import json
import time

import pytest

from chorale.core.files import read_json
from chorale.experiments.autovector.genome import genome_hash
from chorale.experiments.autovector.metrics import equal_error_rate, error_rates, sort_trials
from chorale.experiments.autovector.reporting.parts import report_parts
from chorale.experiments.autovector.results import candidates, result_of
from chorale.experiments.autovector.score_file import read_scores
from chorale.experiments.autovector.search import WORST_FITNESS, SearchState, fittest
from chorale.runs.directory import Run
from chorale.runs.events import read_events
from chorale.runs.items import Failure, State
from chorale.runs.parts import Plot, Table

pytestmark = pytest.mark.unit
UNTIMED = ("seconds",)


def results(run, stage):
    return [result_of(record) for record in run.items(run.stages()[stage])]


def without_time(result):
    return {key: value for key, value in result.items() if key not in UNTIMED}


def trained_stages(run):
    return [name for name in sorted(run.stages()) if name.startswith("generation") or name in ("random", "finalists")]


def test_a_search_runs_from_recordings_to_the_final_table(finished):
    assert {"generation-000", "breed-001", "generation-001", "breed-002", "generation-002", "select"} <= set(
        finished.stages()
    )
    summary = read_json(finished.artifacts / "summary.json")
    assert [row["network"] for row in summary["rows"]] == ["x-vector", "best found", "random median"]
    assert all(row["trainings"] == 3 for row in summary["rows"])
    assert summary == results(finished, "summary")[0]


def test_a_candidate_reports_everything_that_is_promised(finished):
    for result in results(finished, "generation-000"):
        assert set(result) == {
            "eer", "min_dcf_01", "min_dcf_05", "parameters", "macs", "loss", "seconds", "seed", "key", "source"
        }  # fmt: skip
        assert 0 <= result["eer"] <= 1
    events = read_events(finished.events, "generation-000", 0)
    assert {event.name for event in events} >= {"loss", "rate", "eer"}


def test_speakers_of_the_three_parts_are_disjoint_and_test_trials_are_of_test_speakers(finished):
    parts = {}
    speaker_of = {}
    for entry in read_json(finished.artifacts / "lists/utterances.json")["utterances"]:
        parts.setdefault(entry["part"], set()).add(entry["speaker"])
        speaker_of[entry["key"]] = entry["speaker"]
    assert not parts["train"] & parts["dev"] and not parts["train"] & parts["test"] and not parts["dev"] & parts["test"]
    lines = (finished.artifacts / "lists/test-trials.txt").read_text().splitlines()
    assert {speaker_of[name] for line in lines for name in line.split()[1:]} == parts["test"]


def test_the_scores_kept_for_a_finalist_give_its_error_rate_again(finished):
    for result in results(finished, "finalists"):
        labels, scores = read_scores(finished.artifacts / result["scores"])
        assert equal_error_rate(error_rates(sort_trials(scores, labels))) == result["eer"]


def test_the_state_on_disk_is_the_whole_search(finished):
    state = SearchState.from_json(read_json(finished.artifacts / "search.json"))
    assert (state.generation, len(state.history), len(state.population)) == (2, 3 + 2 * 2, 3)
    best = fittest(state.history)
    select = results(finished, "select")[0]
    assert select["best"]["number"] == best.number
    assert genome_hash(results(finished, "finalists")[3]["genome"]) == genome_hash(best.genome)


def test_the_same_search_elsewhere_gives_the_same_numbers_digit_for_digit(finished, voices, tmp_path, tools):
    other = tools["carry_out"](tools["begin"](tools["config"](voices, tmp_path)))
    assert other.identity == finished.identity
    for stage in trained_stages(finished):
        ours, theirs = results(finished, stage), results(other, stage)
        assert [without_time(result) for result in ours] == [without_time(result) for result in theirs]
    everything = [result for stage in trained_stages(other) for result in results(other, stage)]
    executed = {result["key"] for result in everything if result["source"] == "executed"}
    # Two finalists may be one network; nothing else is known beforehand in an empty run root.
    assert executed == {result["key"] for result in everything}


def test_another_run_under_the_same_root_takes_known_results_from_the_cache(finished, tools):
    config = finished.config.model_copy(
        update={"evaluation": finished.config.evaluation.model_copy(update={"bootstrap": 101})}
    )
    again = tools["carry_out"](tools["begin"](config))
    assert again.identity != finished.identity
    for stage in trained_stages(finished):
        known = [{**result, "source": "cached"} for result in results(finished, stage)]
        assert results(again, stage) == known
    assert all(record["source"] == "cached" for record in results(again, "features"))


def test_a_shard_that_is_there_is_not_computed_again(finished, tools, voices):
    config = finished.config.model_copy(update={"seed": 99})
    run = tools["begin"](config)
    tools["carry_out"](run, until="features")
    started = time.monotonic()
    tools["carry_out"](run, until="store")
    assert time.monotonic() - started < 1.0 * len(run.stages()["features"].items)
    assert [result["source"] for result in results(run, "features")] == ["cached"] * 3


def test_a_result_is_not_taken_for_another_seed_recipe_or_part(finished):
    keys = [result["key"] for stage in trained_stages(finished) for result in results(finished, stage)]
    first = results(finished, "generation-000")[0]
    networks = results(finished, "finalists")
    assert len({first["key"], *(result["key"] for result in networks[:3])}) == 4
    assert len(keys) >= len(set(keys)) > 10


def test_candidates_that_diverge_fail_with_a_reason_and_get_the_worst_fitness(voices, tmp_path, tools):
    config = tools["config"](voices, tmp_path, recipe={"rate": 1e30, "warmup_steps": 0})
    run = tools["carry_out"](tools["begin"](config))
    record = run.items(run.stages()["generation-000"])[0]
    assert record.state is State.FAILED
    assert "the loss is" in record.message or "collapsed" in record.message
    state = SearchState.from_json(read_json(run.artifacts / "search.json"))
    assert {individual.fitness for individual in state.history} == {WORST_FITNESS}
    # The search itself went on to its end; only then is there nothing to choose from, and that is said.
    assert "generation-002" in run.stages()
    assert "no candidate succeeded: the loss is" in run.items(run.stages()["select"])[0].message
    failed = next(part for part in report_parts(run, run.config) if part.title == "Failed candidates")
    assert len(failed.rows) == 3 + 2 * 2 + 3


def test_a_damaged_recording_is_named_in_one_line(voices, tmp_path, tools):
    for speaker in voices.iterdir():
        (tmp_path / "voices" / speaker.name).mkdir(parents=True)
        for path in speaker.iterdir():
            (tmp_path / "voices" / speaker.name / path.name).symlink_to(path)
    (tmp_path / "voices/speaker3/2.wav").unlink()
    (tmp_path / "voices/speaker3/2.wav").write_text("not a recording")
    run = tools["carry_out"](tools["begin"](tools["config"](tmp_path / "voices", tmp_path)))
    messages = [record.message for record in run.items(run.stages()["features"]) if record.message]
    assert len(messages) == 1
    assert "speaker3/2.wav" in messages[0] and "\n" not in messages[0]


def test_a_shard_cut_in_half_is_named_with_the_command_that_rebuilds_it_and_is_no_networks_fault(
    voices, tmp_path, tools
):
    run = tools["carry_out"](tools["begin"](tools["config"](voices, tmp_path)), until="generation-000")
    shard = next(tmp_path.glob("cache/features/*/shard-00001.h5"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    tools["carry_out"](run)
    record = run.items(run.stages()["breed-001"])[0]
    assert record.failure is Failure.INPUT
    assert f"rm -f {shard} && chorale run {run.directory}/config.yaml" in record.message
    assert "--again features" in record.message and "--again generation-000" in record.message
    assert "generation-001" not in run.stages()


def test_random_search_alone_is_a_search_too(voices, tmp_path, tools):
    config = tools["config"](voices, tmp_path, search={"algorithm": "random", "random_budget": 3})
    run = tools["carry_out"](tools["begin"](config))
    assert not any(name.startswith(("generation", "breed")) for name in run.stages())
    assert len(read_json(run.artifacts / "summary.json")["rows"]) == 3


def test_the_report_of_a_finished_run_has_caution_table_plots_and_candidates(finished):
    parts = {part.title: part for part in report_parts(finished, finished.config)}
    assert parts["Before trusting a figure"].role == "caution"
    # The result comes first, and its caution before any other figure.
    assert list(parts)[:3] == ["What was measured", "Final comparison", "Before trusting a figure"]
    table = parts["Final comparison"]
    # What two searches draw alike is trained once.
    assert "Trainings: 16 executed, 3 taken from the cache, 0 failed." in table.note
    assert isinstance(table, Table) and len(table.rows) == 3
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert all(len(row) == len(parts["Finalists"].columns) for row in parts["Finalists"].rows)
    candidates_table = parts["Candidates"]
    assert len(candidates_table.rows) == len(candidates(finished)) == 3 + 2 * 2 + 3
    assert all(len(row) == len(candidates_table.columns) for row in candidates_table.rows)
    search = parts["Search"]
    assert isinstance(search, Plot)
    for line in search.series:
        assert len(line.x) == len(line.y)
        if line.style == "steps":
            assert list(line.y) == sorted(line.y, reverse=True)
    assert parts["DET"].x_scale == parts["DET"].y_scale == "probit"
    assert parts["Front"].x_scale == "log"
    json.dumps(candidates_table.rows)


@pytest.mark.parametrize("until", ["lists", "generation-000", "breed-002", "finalists", "summary"])
def test_the_report_works_before_the_run_has_ended(finished, voices, tools, until):
    config = finished.config.model_copy(update={"seed": 0, "data_seed": 0, "memory_mb": 1 + len(until)})
    run = tools["begin"](config)
    tools["carry_out"](run, until=until)
    parts = report_parts(Run(run.directory), config)
    assert "The search goes on" in {part.title for part in parts}
    assert "Final comparison" not in {part.title for part in parts}
