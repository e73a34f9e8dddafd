"""Held-out utterances spoken free-running by the trained network, and measured beside controls."""

from __future__ import annotations

from collections.abc import Sequence

from chorale.core import files
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.speech_data import Entry, SpeechData
from chorale.experiments.fedtts.metrics.speech import measure
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.reporting.attention_image import write_attention
from chorale.experiments.fedtts.results import RECORDING, SPEECH_FILE, TRAINED, UNTRAINED, VOCODED, sound_file
from chorale.experiments.fedtts.speaking import Speaker, Utterance, recorded
from chorale.media.audio.write import write_wav
from chorale.ranks.device import set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome


def speak_held_out(context: Context, config: FedttsConfig) -> Outcome:
    """Speak utterances that were not trained on, if any were held out, and measure them beside their recordings.

    Controls: the recording through the vocoder, which no network can better, and the untrained network.
    """
    set_threads(context.where.threads)
    data = SpeechData(context.run, config)
    trained = Speaker.of_run(context.run, data, config)
    first = build(config.network, data.n_symbols, config.mel.n_mels, full_depth(config.network), config.seed)
    untrained = Speaker(data, config, first)
    rows = []
    for entry in chosen(data, config.synthesis.utterances):
        reference = recorded(data, entry)
        longest = round(config.synthesis.max_ratio * len(reference.mel))
        voices = {
            RECORDING: reference,
            VOCODED: Utterance(reference.mel, trained.sound(reference.mel)),
            TRAINED: trained.say(entry.symbols, longest),
            UNTRAINED: untrained.say(entry.symbols, longest),
        }
        for name, utterance in voices.items():
            path = sound_file(context.run, entry.key, name)
            write_wav(path, utterance.waveform, config.mel.sample_rate_hz)
            if utterance.attention is not None:
                names = [data.symbol_names[symbol] for symbol in entry.symbols]
                write_attention(path.with_suffix(".png"), utterance.attention, names)
            if name != RECORDING:
                measured = measure(reference, utterance, config.mel)
                rows.append({"key": entry.key, "text": entry.text, "voice": name, **measured})
    files.write_json(context.artifacts / SPEECH_FILE, rows)
    return Outcome({"utterances": len({row["key"] for row in rows}), "held_out": config.corpus.held_out > 0})


def chosen(data: SpeechData, count: int) -> Sequence[Entry]:
    """Return ``count`` utterances, evenly picked: of those held out, or of the training where none were."""
    entries = data.valid
    count = min(count, len(entries))
    return [entries[index * len(entries) // count] for index in range(count)]
