"""``chorale fedtts speak``: a text, spoken by a run's network, as a wav file with its attention beside it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.runs.contract import Command
from chorale.runs.directory import find_run

# So slow that no language is spoken more slowly: where the network does not stop by itself, it is cut off there.
_SECONDS_PER_SYMBOL = 0.5


def speak_command() -> Command:
    """Return the verb ``chorale fedtts speak``."""
    return Command(
        name="speak",
        help="speak a text with the network of a run, and draw its attention",
        add_arguments=_add_arguments,
        run=_run,
        render=_render,
        examples=(
            'chorale fedtts speak --run federated-tiny --text "Добрый день" --out hello.wav',
            "chorale fedtts speak --run federated-tiny --text-file text.txt --out hello.wav --vocoder my.vocoder:speak",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    runs = Path(os.environ.get("CHORALE_RUNS", "runs"))
    parser.add_argument("--run", required=True, metavar="RUN", help="a run's directory, name or identity")
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument(
        "--text", metavar="TEXT", help="what to say; the corpus's own phones where it was trained on them"
    )
    text.add_argument("--text-file", type=Path, metavar="FILE", help="a file that holds it")
    parser.add_argument("--out", type=Path, default=Path("speech.wav"), metavar="WAV", help="default: %(default)s")
    parser.add_argument("--vocoder", metavar="MODULE:FUNCTION", help="a vocoder of your own, instead of Griffin-Lim")
    parser.add_argument(
        "--runs", type=Path, default=runs, metavar="DIR", help="root of the runs (default: %(default)s)"
    )


def _run(arguments: argparse.Namespace) -> JsonValue:
    from chorale.experiments.fedtts.corpus.speech_data import SpeechData
    from chorale.experiments.fedtts.reporting.attention_image import write_attention
    from chorale.experiments.fedtts.speaking import Speaker
    from chorale.media.audio.write import write_wav

    text = arguments.text if arguments.text is not None else _read(arguments.text_file)
    if arguments.out.suffix != ".wav":
        raise InputError(f"--out {arguments.out}: not a wav file", "give it a name that ends in .wav")
    run = find_run(arguments.run, arguments.runs)
    config = run.config
    if config.experiment != "fedtts":
        raise InputError(f"{run.name}: not a run of fedtts", "`chorale status` lists the runs")
    data = SpeechData(run, config)
    symbols = data.encode(text)
    mel = config.mel
    longest = round(_SECONDS_PER_SYMBOL * len(symbols) * mel.sample_rate_hz / mel.hop)
    spoken = Speaker.of_run(run, data, config, arguments.vocoder).say(symbols, longest)
    write_wav(arguments.out, spoken.waveform, mel.sample_rate_hz)
    picture = arguments.out.with_suffix(".png")
    assert spoken.attention is not None
    write_attention(picture, spoken.attention, [data.symbol_names[symbol] for symbol in symbols])
    return {
        "wav": str(arguments.out),
        "attention": str(picture),
        "seconds": round(len(spoken.waveform) / mel.sample_rate_hz, 3),
        "stopped": spoken.stopped,
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})", "give a text file in UTF-8") from error


def _render(value: Any) -> str:
    cut = "" if value["stopped"] else " (cut off: the network did not stop by itself)"
    return f"{value['seconds']:.1f} s of speech in {value['wav']}{cut}; attention in {value['attention']}"
