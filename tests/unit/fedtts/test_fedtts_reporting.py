"""The page of a training: at its beginning, under way and at its end, centrally and by a federation."""

import numpy as np
import pytest

from chorale.core import files
from chorale.core.config import ConfigTree, validate
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.experiment import Fedtts
from chorale.experiments.fedtts.federation import ledger_files
from chorale.experiments.fedtts.federation.ledger import Entry, Ledger
from chorale.experiments.fedtts.reporting.history import History
from chorale.experiments.fedtts.reporting.parts import report_parts
from chorale.experiments.fedtts.reporting.plots import MOST_KINDS, bytes_plot
from chorale.experiments.fedtts.results import RECORDING, SPEECH_FILE, SUMMARY_FILE, TRAIN_STAGE, TRAINED, sound_file
from chorale.report.page import build_report
from chorale.runs.directory import open_or_create
from chorale.runs.events import EventWriter, event_file
from chorale.runs.parts import Media, Plot, Table, Text

pytestmark = pytest.mark.unit

ROUNDS = 4
VOICE = {
    "utterances": 2,
    "mcd_mel_db": 6.0,
    "mcd_mel_db_per_frame": 9.5,
    "mcd_world_db": None,
    "duration_ratio": 1.5,
    "stopped": 0.5,
}
READING = {"focus_rate": 0.25, "forward": 0.9, "repeats": 0.06, "skips": 0.04, "span": 1.0}


def begun(root, mode="federated", **changes):
    """A run that has just begun, and its configuration."""
    values = {"mode": mode, "federation": {"rounds": ROUNDS, "clients": 3}, "recipe": {"steps": 40, "log_every": 10}}
    for section, value in changes.items():
        values[section] = {**values.get(section, {}), **value} if isinstance(value, dict) else value
    config = validate(FedttsConfig, ConfigTree({**values, "where": {"runs": str(root)}}, {}))
    run = open_or_create(config, "page")
    run.__dict__["experiment"] = Fedtts()
    return run, config


def log(run, metrics_by_step, attempt=1):
    events = EventWriter(event_file(run.events, TRAIN_STAGE, 0, attempt, 0))
    for step, metrics in metrics_by_step.items():
        events.log(step, metrics)
    events.close()


def round_metrics(number, **more):
    return {
        "loss/train": 3.0 / number,
        "clients/answered": 3.0,
        "clients/late": 0.0,
        "clients/dropped": 0.0,
        "seconds/simulated": 10.0 * number,
        "depth/encoder": 1.0,
        "depth/decoder": 1.0,
        "time/compute": 2.0,
        "time/codec": 0.5,
        "time/mpi": 0.25,
        "time/waiting": 0.0,
        "bytes/down": 100.0 * number,
        "bytes/up": 50.0 * number,
        **more,
    }


def federate(run, rounds=ROUNDS, **more):
    log(run, {0: {"attempt/first_step": 0.0}, **{n: round_metrics(n, **more) for n in range(1, rounds + 1)}})


def ledger_of(rounds=ROUNDS, kinds=("model", "update"), ranks=2):
    ledger = Ledger()
    for round_ in range(rounds):
        for place, kind in enumerate(kinds):
            direction = "up" if place else "down"
            ledger.add(
                round_, [0, 1, 2], direction, (Entry("output", kind, 40, 20 + place, 100 * (place + 1) + round_),)
            )
            if ranks > 1:
                ledger.add_physical(round_, 1, direction, kind, 60)
    return ledger


def end(run, mode="federated", ledger=None, **measured):
    """Leave what the last stages leave, for two utterances."""
    rows = [{"key": key, "text": f"text of {key}", "voice": TRAINED} for key in ("a/1", "b")]
    voice = {**VOICE, **measured}
    speech = {TRAINED: {**voice, **READING}, "vocoded": {**voice, "mcd_mel_db": 0.0}, "untrained": {**voice, **READING}}
    for row in rows:
        for voice in (RECORDING, "vocoded", TRAINED, "untrained"):
            path = sound_file(run, row["key"], voice)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF")
            if voice in (TRAINED, "untrained"):
                path.with_suffix(".png").write_bytes(b"PNG")
    files.write_json(run.artifacts / SPEECH_FILE, rows)
    files.write_json(run.artifacts / SUMMARY_FILE, {"mode": mode, "speech": speech, "training": {"parameters": 1234}})
    lines = [{"valid": valid, "speaker": "one"} for valid in (False, False, True)]
    files.write_json(run.artifacts / "lists/utterances.json", {"utterances": lines})
    if ledger is not None:
        ledger_files.save(ledger, run.artifacts / ledger_files.FILE_NAME)


def titles(parts):
    return [part.title for part in parts]


def titled(parts, title):
    (found,) = (part for part in parts if part.title == title)
    return found


def columns(plot):
    return {series.label: (list(series.x), list(series.y)) for series in plot.series}


@pytest.mark.parametrize(
    ("mode", "goal"), [("federated", "3 clients is to do 4 rounds"), ("central", "is to do 40 steps")]
)
def test_a_run_that_has_just_begun_says_what_it_is_to_do_and_shows_nothing_empty(tmp_path, mode, goal):
    run, config = begun(tmp_path, mode)
    parts = report_parts(run, config)
    assert all(isinstance(part, Text) for part in parts)
    assert parts[0].title == "Nothing is trained yet"
    assert goal in parts[0].body
    assert build_report(run).is_file()


def test_a_federation_before_its_first_checkpoint_shows_losses_and_times(tmp_path):
    run, config = begun(tmp_path)
    federate(run, rounds=2)
    parts = report_parts(run, config)
    assert titles(parts)[:4] == [
        "The training goes on",
        "Loss against bytes",
        "Loss against simulated seconds",
        "Time per round",
    ]
    assert "2 of 4 rounds" in parts[0].body
    assert "Nothing is spoken yet" in parts[0].body


def test_after_the_last_round_speech_comes_next(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    assert report_parts(run, config)[0].title == "The training has ended; speech comes next"


def test_a_finished_federation_is_told_from_what_was_measured_to_what_is_whose(tmp_path):
    run, config = begun(tmp_path, growth={"kind": "grow"})
    federate(run, **{"clients/late": 1.0, "loss/valid": 1.25})
    end(run, ledger=ledger_of())
    parts = report_parts(run, config)
    assert titles(parts) == [
        "What was measured",
        "Listen: a/1",
        "Listen: b",
        "Attention",
        "Speech",
        "Attention in figures",
        "Bytes per round",
        "Loss against bytes",
        "Loss against simulated seconds",
        "Time per round",
        "Depth",
        "Clients",
        "Ledger",
        "Logical and physical bytes",
        "Before trusting a figure",
        "What the paper says, and what was chosen here",
    ]
    assert "validation loss came to 1.250" in parts[0].body
    assert "1 of 2 ended by themselves" in parts[0].body
    assert build_report(run).is_file()


def test_a_finished_central_training_shows_both_losses_and_where_attention_goes(tmp_path):
    run, config = begun(tmp_path, "central")
    log(run, {step: {"loss/train": 1.0 / step, "guide/train": 0.01} for step in (10, 20, 30)})
    log(run, {40: {"loss/train": 0.025, "loss/valid": 0.5, "guide/train": 0.01, "guide/valid": 0.02}}, attempt=2)
    end(run, "central")
    parts = report_parts(run, config)
    assert titles(parts)[5:9] == ["Attention in figures", "Loss", "Guided attention", "Before trusting a figure"]
    loss = titled(parts, "Loss")
    assert columns(loss) == {
        "training": ([10.0, 20.0, 30.0, 40.0], [0.1, 0.05, 1 / 30, 0.025]),
        "validation": ([40.0], [0.5]),
    }
    assert [series.style for series in loss.series] == ["line", "points"]


def test_each_utterance_has_its_four_voices_and_its_text(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run)
    sound = sound_file(run, "b", RECORDING)
    sound.unlink()
    parts = report_parts(run, config)
    one, other = titled(parts, "Listen: a/1"), titled(parts, "Listen: b")
    assert isinstance(one, Media)
    assert [label for _, label in one.files] == [
        "recording",
        "vocoded recording",
        "trained network",
        "untrained network",
    ]
    assert one.note == "text of a/1"
    assert len(other.files) == 3
    assert len(titled(parts, "Attention").files) == 4


def test_losses_stand_against_bytes_of_both_directions_and_simulated_seconds(tmp_path):
    run, config = begun(tmp_path)
    log(run, {1: round_metrics(1), 2: round_metrics(2, **{"loss/valid": 7.0})})
    parts = report_parts(run, config)
    assert columns(titled(parts, "Loss against bytes")) == {
        "training": ([150.0, 300.0], [3.0, 1.5]),
        "validation": ([300.0], [7.0]),
    }
    assert columns(titled(parts, "Loss against simulated seconds"))["training"] == ([10.0, 20.0], [3.0, 1.5])


def test_bytes_are_stacked_by_kind_and_add_up_to_the_ledger(tmp_path):
    ledger = ledger_of(kinds=("model", "update", "header"))
    plot = bytes_plot(ledger)
    assert [series.label for series in plot.series] == ["model", "update", "headers"]
    assert {series.style for series in plot.series} == {"stacked"}
    assert list(plot.series[0].x) == [1, 2, 3, 4]
    assert plot.series[1].y[2] == 3 * 202
    assert np.sum([series.y for series in plot.series]) == ledger.total().serialised_bytes


def test_more_kinds_than_colours_are_stacked_with_the_smallest_ones_together():
    kinds = ("keys", "shares", "evaluation", "header", "model", "update", "late", "control")
    ledger = ledger_of(kinds=kinds)
    plot = bytes_plot(ledger)
    assert [series.label for series in plot.series] == [
        "model", "update", "control variates", "too late", "headers", "keys, shares, evaluation"
    ]  # fmt: skip
    assert len(plot.series) == MOST_KINDS
    assert np.sum([series.y for series in plot.series]) == ledger.total().serialised_bytes


def test_times_are_stacked_and_what_took_none_is_left_out(tmp_path):
    run, config = begun(tmp_path)
    federate(run, rounds=2)
    plot = titled(report_parts(run, config), "Time per round")
    assert columns(plot) == {
        "compute": ([1.0, 2.0], [2.0, 2.0]),
        "codec": ([1.0, 2.0], [0.5, 0.5]),
        "MPI": ([1.0, 2.0], [0.25, 0.25]),
    }


def test_clients_are_shown_only_if_one_was_late_or_dropped_out(tmp_path):
    run, config = begun(tmp_path)
    federate(run, rounds=2)
    assert "Clients" not in titles(report_parts(run, config))
    log(run, {3: round_metrics(3, **{"clients/dropped": 1.0})})
    shown = columns(titled(report_parts(run, config), "Clients"))
    assert shown == {"answered": ([1.0, 2.0, 3.0], [3.0, 3.0, 3.0]), "dropped out": ([1.0, 2.0, 3.0], [0.0, 0.0, 1.0])}


def test_stacks_of_equal_depth_are_one_line_and_others_are_two(tmp_path):
    run, config = begun(tmp_path, growth={"kind": "random"})
    federate(run, rounds=2)
    assert list(columns(titled(report_parts(run, config), "Depth"))) == ["encoder and decoder"]
    log(run, {3: round_metrics(3, **{"depth/decoder": 2.0})})
    assert columns(titled(report_parts(run, config), "Depth")) == {
        "encoder": ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]),
        "decoder": ([1.0, 2.0, 3.0], [1.0, 1.0, 2.0]),
    }


def test_the_ledger_s_table_has_every_direction_and_kind_and_their_sum(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run, ledger=ledger_of())
    table = titled(report_parts(run, config), "Ledger")
    assert [list(row) for row in table.rows] == [
        ["to clients", "model", 480, 240, 3 * (4 * 100 + 6)],
        ["to the server", "update", 480, 252, 3 * (4 * 200 + 6)],
        ["both", "all", 960, 492, 3 * (4 * 300 + 12)],
    ]
    assert table.highlight == [2]


def test_physical_bytes_stand_beside_logical_ones(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run, ledger=ledger_of())
    rows = titled(report_parts(run, config), "Logical and physical bytes").rows
    assert list(rows[0]) == ["to clients", 1218, 240, round(240 / 1218, 3)]
    assert list(rows[2]) == ["both", 3636, 480, round(480 / 3636, 3)]


def test_a_federation_on_one_rank_has_no_physical_bytes(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run, ledger=ledger_of(ranks=1))
    parts = report_parts(run, config)
    assert "Nothing crossed MPI." in parts[0].body
    assert titled(parts, "Logical and physical bytes").rows[2][2] == 0


def test_a_damaged_ledger_costs_only_what_is_in_it(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run, ledger=ledger_of())
    (run.artifacts / ledger_files.FILE_NAME).write_bytes(b"not a ledger")
    parts = report_parts(run, config)
    assert "damaged" in titled(parts, "Ledger").body
    assert "Time per round" in titles(parts)


def test_speech_is_told_by_voice_and_what_could_not_be_measured_is_left_out_and_said(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run)
    table = titled(report_parts(run, config), "Speech")
    assert [row[0] for row in table.rows] == ["trained", "vocoded", "untrained"]
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "voice": "trained",
        "MCD mel / dB": 6.0,
        "per frame / dB": 9.5,
        "length": 1.5,
        "stopped / %": 50.0,
    }
    assert "were not measured: they need the extra `speech`" in table.note
    reading = titled(report_parts(run, config), "Attention in figures")
    assert [list(row) for row in reading.rows] == [
        [voice, 0.25, 90.0, 6.0, 4.0, 100.0] for voice in ("trained", "untrained")
    ]


def test_what_world_measured_has_its_columns(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run, mcd_world_db=7.0)
    table = titled(report_parts(run, config), "Speech")
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["WORLD / dB"], row["log F0"], row["voicing / %"]) == (7.0, None, None)
    assert "not measured" not in table.note


def test_the_stated_settings_of_the_distortions_are_those_they_are_measured_with(tmp_path):
    from chorale.experiments.fedtts.metrics.cepstra import all_pass_constant

    run, config = begun(tmp_path, mel={"sample_rate_hz": 16000, "hop": 200})
    federate(run)
    end(run, mcd_world_db=7.0)
    note = titled(report_parts(run, config), "Speech").note
    for stated in (
        "coefficients 1 to 24",
        "80 mel bins",
        "frames of 12.5 ms",
        f"constant {all_pass_constant(16000):g}",
    ):
        assert stated in note


@pytest.mark.parametrize(("held_out", "told"), [(2, "2 held-out utterances"), (0, "OF THE TRAINING SET")])
def test_whether_utterances_were_held_out_is_told_first(tmp_path, held_out, told):
    run, config = begun(tmp_path, corpus={"held_out": held_out})
    federate(run)
    end(run)
    parts = report_parts(run, config)
    assert told in parts[0].body
    assert ("none is held out" in titled(parts, "Loss against bytes").note) == (held_out == 0)


def test_the_caution_tells_how_small_the_training_was(tmp_path):
    run, config = begun(tmp_path)
    federate(run)
    end(run)
    body = titled(report_parts(run, config), "Before trusting a figure").body
    assert "1,234 parameters, trained on 2 utterances of one speaker" in body
    assert "Griffin-Lim" in body
    assert "Simulated seconds" in body


def test_a_federation_that_sent_noise_says_so_and_shows_no_loss(tmp_path):
    run, config = begun(tmp_path, federation={"train": False})
    plain = {key: value for key, value in round_metrics(1).items() if not key.startswith("loss")}
    log(run, {1: plain})
    parts = report_parts(run, config)
    assert "Loss against bytes" not in titles(parts)
    assert "Clients sent noise" in titled(parts, "Before trusting a figure").body


def test_differential_privacy_is_told_as_epsilon(tmp_path):
    pytest.importorskip("dp_accounting")
    from chorale.experiments.fedtts.federation.privacy.differential import epsilon

    strategy = {"weights": "uniform"}
    run, config = begun(tmp_path, federation={"privacy": {"dp": "central", "noise": 2.0}, "strategy": strategy})
    federate(run, rounds=2)
    assert f"epsilon {epsilon(2, 1.0, 2.0, 1e-5):.3g} at delta 1e-05" in report_parts(run, config)[0].body


def test_an_interrupted_training_has_one_history_and_the_time_of_its_attempts_alone(tmp_path):
    run, _ = begun(tmp_path, "central")
    folder = run.events / TRAIN_STAGE
    folder.mkdir(parents=True)
    (folder / "000000.1-0.jsonl").write_text(
        '{"t": 100.0, "step": 0, "metrics": {"attempt/first_step": 0}}\n'
        '{"t": 110.0, "step": 10, "metrics": {"loss/train": 2.0}}\n'
        '{"t": 120.0, "step": 20, "metrics": {"loss/train": 9.0}}\n'
    )
    (folder / "000000.2-0.jsonl").write_text(
        '{"t": 1000.0, "step": 10, "metrics": {"attempt/first_step": 10}}\n'
        '{"t": 1007.0, "step": 20, "metrics": {"loss/train": 1.0}}\n'
    )
    history = History(run)
    assert history.by_step("loss/train") == ([10.0, 20.0], [2.0, 1.0])
    assert (history.last, history.newest("loss/train")) == (20, 1.0)
    # The first attempt's last line was done again, and counts no more.
    assert history.seconds == 10.0 + 7.0


def test_the_page_of_a_thousand_rounds_stays_below_five_megabytes(tmp_path):
    run, config = begun(tmp_path, federation={"rounds": 1000}, growth={"kind": "random"})
    draws = np.random.default_rng(0).random((1000, 6)).tolist()
    log(
        run,
        {
            n + 1: round_metrics(
                n + 1,
                **{
                    "loss/train": row[0],
                    "loss/valid": row[1],
                    "time/mpi": row[2],
                    "time/waiting": row[3],
                    "depth/decoder": 1.0 + round(row[4]),
                    "clients/late": float(round(row[5])),
                },
            )
            for n, row in enumerate(draws)
        },
    )
    ledger = ledger_of(1000, ("model", "update", "header", "late", "dropped", "control"))
    ledger_files.save(ledger, run.artifacts / ledger_files.FILE_NAME)
    plots = [part for part in report_parts(run, config) if isinstance(part, Plot)]
    assert len(plots) == 6
    assert build_report(run).stat().st_size < 5_000_000
    assert [part for part in report_parts(run, config) if isinstance(part, Table)]
