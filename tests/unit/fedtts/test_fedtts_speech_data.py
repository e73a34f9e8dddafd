import itertools
import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.config import ConfigTree, validate
from chorale.core.errors import InputError
from chorale.core.files import read_json
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.lists import LISTS_FILE, SCALE_FILE, Utterance
from chorale.experiments.fedtts.corpus.selection import held_out
from chorale.experiments.fedtts.corpus.spectrograms import mel_scale, spectrogram
from chorale.experiments.fedtts.corpus.speech_data import SpeechData
from chorale.experiments.fedtts.results import FEATURES_STAGE, LISTS_STAGE, STORE_STAGE
from chorale.experiments.fedtts.stages import data as stages
from chorale.media.text.symbols import END
from chorale.runs.context import Context
from chorale.runs.contract import Outcome, Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file
from chorale.runs.items import claim

pytestmark = pytest.mark.unit
RATE = 16000
PHONES = ("pau", "a", "sh", "m", "o")
MEL = {"sample_rate_hz": 16000, "n_fft": 512, "hop": 200, "n_mels": 20, "f_max_hz": 8000.0}


def speak(path: Path, phones: list[str], seconds: list[float], seed: int) -> None:
    """Write a recording in which every phone is a noise of its own loudness, and ``pau`` is silence."""
    generator = np.random.default_rng(seed)
    loudness = {"pau": 1e-6, "a": 0.2, "sh": 0.1, "m": 0.05, "o": 0.15}
    parts = [loudness[p] * generator.normal(size=round(s * RATE)) for p, s in zip(phones, seconds, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(parts), RATE)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory) -> Path:
    """Ten utterances in the layout of festvox-ru."""
    root = tmp_path_factory.mktemp("festvox")
    generator = np.random.default_rng(1)
    lines = []
    (root / "lab").mkdir()
    for number in range(10):
        name = f"ru_{number * 7:04d}"
        phones = ["pau", *generator.choice(PHONES[1:], size=14 - number), "pau"]
        seconds = [0.3, *generator.uniform(0.06, 0.2, size=len(phones) - 2), 0.25]
        speak(root / "wav" / f"{name}.wav", phones, seconds, number)
        ends = np.cumsum(seconds)
        labels = [f"{end:.5f} 125 {phone}" for end, phone in zip(ends, phones, strict=True)]
        (root / "lab" / f"{name}.lab").write_text("\n".join(["#", *labels]) + "\n")
        lines.append(f'( {name} "+Аша {number}, мо{"ж" if number == 9 else "м"}о." )')
    (root / "etc").mkdir()
    (root / "etc/txt.done.data").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def make_config(root: Path, directory: Path, **changes) -> FedttsConfig:
    values = {
        "corpus": {"layout": "festvox-ru", "root": str(root), "held_out": 3},
        "text": {"units": "labels"},
        "mel": MEL,
        "network": {"reduction": 2},
        "shard_utterances": 4,
        "where": {"runs": str(directory / "runs"), "cache": str(directory / "cache"), "device": "cpu"},
    }
    for key, value in changes.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    return validate(FedttsConfig, ConfigTree(values, {}))


def do_stage(run: Run, stage: Stage, config: FedttsConfig) -> list[Outcome]:
    """Carry a stage out, as a launcher does."""
    run.declare([stage])
    outcomes = []
    for index in range(len(stage.items)):
        claimed = claim(run.stage_directory(stage.name), index)
        events = EventWriter(event_file(run.events, stage.name, index, 1, 0))
        outcomes.append(stage.load()(Context(run, stage, index, 1, events, config.where), config))
        claimed.finish(outcomes[-1].result)
        events.close()
    return outcomes


def carry_out(config: FedttsConfig, directory: Path) -> tuple[Run, dict[str, list[Outcome]]]:
    run = Run(directory / "runs" / f"fedtts-{config.identity(exclude={'where'})}")
    lists = do_stage(run, Stage(name=LISTS_STAGE, function=stages.make_lists), config)
    (array,) = lists[0].stages
    features = do_stage(run, array, config)
    store = do_stage(run, Stage(name=STORE_STAGE, function=stages.close_store), config)
    return run, {LISTS_STAGE: lists, FEATURES_STAGE: features, STORE_STAGE: store}


@pytest.fixture(scope="session")
def finished(labelled, tmp_path_factory):
    directory = tmp_path_factory.mktemp("finished")
    config = make_config(labelled, directory)
    run, outcomes = carry_out(config, directory)
    return run, config, outcomes


def test_the_stages_say_what_they_did(finished):
    _, _, outcomes = finished
    lists = outcomes[LISTS_STAGE][0].result
    assert lists["shards"] == 3 == len(outcomes[FEATURES_STAGE])
    assert lists["symbols"] == len(PHONES) + 2
    assert (lists["train"]["utterances"], lists["valid"]["utterances"]) == (7, 3)
    assert [outcome.result["source"] for outcome in outcomes[FEATURES_STAGE]] == ["executed"] * 3
    store = outcomes[STORE_STAGE][0].result
    assert store["utterances"] == 10 and store["train"]["frames"] > store["valid"]["frames"] > 0


def test_training_and_held_out_utterances_are_apart_and_together_all(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    train, valid = [entry.key for entry in data.train], [entry.key for entry in data.valid]
    assert valid == ["ru_0007", "ru_0035", "ru_0056"]
    assert len(train) == 7 and not set(train) & set(valid)
    assert {entry.group for entry in data.train} == {"ru_0000", "ru_0020", "ru_0040", "ru_0060"}
    assert data.train[0].speaker == "festvox-ru" and data.train[0].text == "+аша ноль, момо."


def test_held_out_utterances_are_spread_over_the_corpus_and_some_are_left():
    keys = [f"{number:03d}" for number in range(100)]
    chosen = sorted(held_out(keys, 4))
    assert chosen == ["012", "037", "062", "087"]
    assert len(held_out(keys, 99)) == 99 and held_out(keys, 0) == frozenset()
    with pytest.raises(InputError, match="100 of 100 utterances leave none to learn from"):
        held_out(keys, 100)


def test_a_sample_holds_its_labels_as_symbols_and_its_normalised_mel(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    for entry in (*data.train, *data.valid):
        sample = data.sample(entry)
        assert sample.mel.shape == (entry.frames, 20) and sample.mel.dtype == np.float32
        assert sample.symbols.tolist() == list(entry.symbols) and entry.symbols[-1] == END
        label_file = config.corpus.root / "lab" / f"{entry.key}.lab"
        labels = [line.split()[2] for line in label_file.read_text().splitlines()[1:]]
        assert [data.symbol_names[symbol] for symbol in entry.symbols[:-1]] == labels
        utterance = Utterance.from_json(
            next(u for u in read_json(run.artifacts / LISTS_FILE)["utterances"] if u["key"] == entry.key)
        )
        raw, _ = spectrogram(utterance, config.mel)
        np.testing.assert_allclose(data.denormalise(sample.mel), raw, atol=1e-4)


def test_training_mels_have_mean_zero_and_deviation_one_in_every_bin_and_held_out_ones_play_no_part(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    frames = np.concatenate([data.sample(entry).mel for entry in data.train]).astype(np.float64)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)
    everything = np.concatenate([data.sample(entry).mel for entry in (*data.train, *data.valid)])
    assert np.abs(everything.mean(axis=0)).max() > 1e-3


def test_mean_and_deviation_of_many_are_those_of_all_frames_together_and_a_silent_bin_is_not_blown_up():
    generator = np.random.default_rng(0)
    mels = [generator.normal(-5, 2, size=(frames, 4)).astype(np.float32) for frames in (3, 50, 200)]
    for mel in mels:
        mel[:, 3] = -11.5
    mean, deviation = mel_scale(mels)
    frames = np.concatenate(mels).astype(np.float64)
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation[:3], frames.std(axis=0)[:3], rtol=1e-9)
    assert deviation[3] == 0.1


def test_durations_sum_to_the_frames_and_stand_where_the_sound_changes(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    loud = {"a": 4, "o": 3, "sh": 2, "m": 1, "pau": 0}
    for entry in (*data.train, *data.valid):
        sample = data.sample(entry)
        assert sample.durations is not None and sample.durations.dtype == np.int64
        assert len(sample.durations) == len(sample.symbols) and sample.durations.sum() == entry.frames
        edges = np.cumsum(sample.durations)
        names = [data.symbol_names[symbol] for symbol in entry.symbols[:-1]]
        level = data.denormalise(sample.mel).mean(axis=1)
        middle = [level[(edges[i] + edges[i + 1]) // 2] for i in range(len(names) - 1)]
        pairs = list(zip(names[1:], middle, strict=True))
        for (one, one_level), (other, other_level) in itertools.pairwise(pairs[:-1]):
            if loud[one] >= loud[other] + 2:
                assert one_level > other_level


def test_silence_around_the_speech_is_cut_off_and_the_sound_given_is_what_the_mel_was_made_of(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    entry = data.train[0]
    whole_s = data.recording(entry).seconds()
    waveform = data.waveform(entry)
    assert len(waveform) // config.mel.hop == entry.frames
    # 0.3 s and 0.25 s of silence, of which 0.05 s and at most a window stay on either side.
    assert 0.45 - 2 * 512 / RATE <= whole_s - len(waveform) / RATE <= 0.45


def test_text_is_encoded_in_the_corpuss_own_symbols(finished, labelled, tmp_path):
    run, config, _ = finished
    data = SpeechData(run, config)
    names = data.symbol_names
    assert data.n_symbols == len(names) == 7
    assert data.encode(" pau  sh a ") == [names.index("pau"), names.index("sh"), names.index("a"), END]
    with pytest.raises(InputError, match=r"no symbol 'ja'; write it with: a m o pau sh"):
        data.encode("pau ja")
    letters = make_config(labelled, tmp_path, text={"units": "graphemes"})
    run, _ = carry_out(letters, tmp_path)
    data = SpeechData(run, letters)
    said = [data.symbol_names[symbol] for symbol in data.encode("Мама, 8 — +аш!")[:-1]]
    assert "".join(said[:6]) == "мама, "
    assert said[-4:] == ["+", "а", "ш", "!"]
    assert data.sample(data.train[0]).durations is None
    with pytest.raises(InputError, match="says nothing"):
        data.encode("...")
    with pytest.raises(InputError, match="no symbol 'h'"):
        data.encode("мh")


def test_a_letter_that_only_held_out_texts_have_has_a_symbol(labelled, tmp_path):
    config = make_config(labelled, tmp_path, corpus={"held_out": 9}, text={"units": "graphemes"})
    run, _ = carry_out(config, tmp_path)
    assert "ж" in SpeechData(run, config).symbol_names


def test_without_held_out_utterances_training_ones_are_validated_on(labelled, tmp_path):
    config = make_config(labelled, tmp_path, corpus={"held_out": 0, "max_utterances": 5})
    run, outcomes = carry_out(config, tmp_path)
    data = SpeechData(run, config)
    assert len(data.train) == 5 and data.valid == data.train
    assert outcomes[LISTS_STAGE][0].result["valid"]["utterances"] == 0


def test_recordings_that_are_too_long_are_left_out_before_utterances_are_counted(labelled, tmp_path):
    seconds = sorted(soundfile.info(path).duration for path in labelled.glob("wav/*.wav"))
    config = make_config(labelled, tmp_path, corpus={"held_out": 1, "max_seconds": seconds[6], "max_utterances": 6})
    run = Run(tmp_path / "run")
    (outcome,) = do_stage(run, Stage(name=LISTS_STAGE, function=stages.make_lists), config)
    assert outcome.result["train"]["utterances"] == 5
    config = make_config(labelled, tmp_path, corpus={"max_seconds": 0.1})
    with pytest.raises(InputError, match=r"no recording is shorter than 0\.1 s; raise corpus\.max_seconds"):
        do_stage(Run(tmp_path / "other"), Stage(name=LISTS_STAGE, function=stages.make_lists), config)


def test_labels_are_refused_of_a_corpus_that_has_none(tmp_path):
    speak(tmp_path / "wavs/LJ001-0001.wav", ["a"], [0.5], 0)
    (tmp_path / "metadata.csv").write_text("LJ001-0001|a|a\n")
    config = make_config(tmp_path, tmp_path, corpus={"layout": "ljspeech", "held_out": 0})
    with pytest.raises(InputError, match=r"layout ljspeech has no phone labels; set text\.units: graphemes"):
        do_stage(Run(tmp_path / "run"), Stage(name=LISTS_STAGE, function=stages.make_lists), config)


def test_a_shard_that_is_there_is_not_computed_again_and_a_run_with_other_symbols_uses_it(finished, labelled):
    _, config, _ = finished
    letters = make_config(labelled, config.where.cache.parent, text={"units": "graphemes"}, seed=3)
    run, outcomes = carry_out(letters, config.where.cache.parent)
    assert [outcome.result["source"] for outcome in outcomes[FEATURES_STAGE]] == ["cached"] * 3
    other_mel = make_config(labelled, config.where.cache.parent, mel={"n_mels": 21})
    _, outcomes = carry_out(other_mel, config.where.cache.parent)
    assert [outcome.result["source"] for outcome in outcomes[FEATURES_STAGE]] == ["executed"] * 3
    assert SpeechData(run, letters).identity != read_json(finished[0].artifacts / LISTS_FILE)["identity"]


def test_the_same_corpus_elsewhere_gives_the_same_lists_and_scales_to_the_last_digit(finished, labelled, tmp_path):
    run, _, outcomes = finished
    config = make_config(labelled, tmp_path)
    other, again = carry_out(config, tmp_path)
    for name in (LISTS_FILE, SCALE_FILE):
        assert (other.artifacts / name).read_text() == (run.artifacts / name).read_text()
    assert [o.result for o in again[STORE_STAGE]] == [o.result for o in outcomes[STORE_STAGE]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("no recording"), "not a readable recording"),
        (lambda path: soundfile.write(path, np.zeros(RATE), RATE), "silent throughout; leave it out"),
        (lambda path: soundfile.write(path, np.full(100, 0.1), RATE), "shorter than one window of 512"),
        (lambda path: soundfile.write(path, np.random.default_rng(0).normal(size=8000), RATE), "labels end at"),
    ],
)
def test_a_recording_that_cannot_be_used_is_named_once_in_one_line(finished, tmp_path, damage, message):
    run, config, _ = finished
    line = read_json(run.artifacts / LISTS_FILE)["utterances"][-1]
    path = tmp_path / "bad.wav"
    damage(path)
    lists = {"store": "bad", "utterances": [{**line, "clip": [str(path), 0.0, None]}]}
    bad = Run(tmp_path / "run")
    (bad.artifacts / "lists").mkdir(parents=True)
    (bad.artifacts / LISTS_FILE).write_text(json.dumps(lists))
    stage = Stage(name=FEATURES_STAGE, function=stages.make_shard, kind="array", items=(0,))
    with pytest.raises(InputError, match=message) as caught:
        do_stage(bad, stage, config)
    assert str(caught.value).count("bad.wav") == 1 and "\n" not in str(caught.value)
    assert not list(config.where.cache.glob("features/bad/*"))


def test_mels_are_kept_in_memory_up_to_a_bound_and_are_the_same_either_way(finished):
    run, config, _ = finished
    generous, mean = SpeechData(run, config), SpeechData(run, config, keep_bytes=0)
    entry = generous.train[0]
    assert generous.sample(entry) is generous.sample(entry)
    assert mean.sample(entry) is not mean.sample(entry)
    assert np.array_equal(mean.sample(entry).mel, generous.sample(entry).mel)


def read_in_child(data: SpeechData, queue) -> None:
    queue.put([data.sample(entry).mel.sum().item() for entry in data.train] + [os.getpid()])


def test_a_child_process_reads_the_same_after_the_parent_has_read(finished):
    run, config, _ = finished
    data = SpeechData(run, config, keep_bytes=0)
    expected = [data.sample(entry).mel.sum().item() for entry in data.train]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=read_in_child, args=(data, queue))
    child.start()
    *sums, pid = queue.get(timeout=60)
    child.join()
    assert sums == expected and pid != os.getpid()


def test_reading_a_sample_again_costs_microseconds(finished):
    run, config, _ = finished
    data = SpeechData(run, config)
    entries = data.train
    data.samples(entries)
    started = time.perf_counter()
    for _ in range(100):
        data.samples(entries)
    assert time.perf_counter() - started < 0.1
