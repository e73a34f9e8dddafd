"""Tables of the report: what was measured of speech, and what the ledger adds up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.federation.ledger import DIRECTIONS, Ledger, Totals
from chorale.experiments.fedtts.metrics.cepstra import all_pass_constant
from chorale.experiments.fedtts.metrics.settings import ORDER, WORLD_FRAME_MS
from chorale.experiments.fedtts.reporting.plots import label_of
from chorale.experiments.fedtts.results import LEDGER_CSV, TRAINED, UNTRAINED, VOCODED
from chorale.runs.parts import Cell, Table

VOICES = {
    TRAINED: "trained",
    VOCODED: "vocoded",
    UNTRAINED: "untrained",
}
TOWARDS = {"down": "to clients", "up": "to the server"}
_DISTANCES: Sequence[tuple[str, str, float, int]] = (
    ("duration_ratio", "length", 1.0, 3),
    ("stopped", "stopped / %", 100.0, 0),
    ("mcd_mel_db", "MCD mel / dB", 1.0, 2),
    ("mcd_mel_db_per_frame", "per frame / dB", 1.0, 2),
)
_BY_WORLD: Sequence[tuple[str, str, float, int]] = (
    ("mcd_world_db", "WORLD / dB", 1.0, 2),
    ("log_f0_rmse", "log F0", 1.0, 3),
    ("voicing_error", "voicing / %", 100.0, 1),
)
_READING: Sequence[tuple[str, str, float, int]] = (
    ("focus_rate", "focus rate", 1.0, 3),
    ("forward", "moves forward / %", 100.0, 1),
    ("repeats", "goes back / %", 100.0, 1),
    ("skips", "skips / %", 100.0, 1),
    ("span", "text attended / %", 100.0, 1),
)


def speech_table(speech: Mapping[str, Mapping[str, Any]], config: FedttsConfig) -> Table:
    """Return the distances of each voice from the recordings, means over utterances."""
    mel, count = config.mel, max((voice["utterances"] for voice in speech.values()), default=0)
    note = (
        f"Means over {count} utterances, spoken free-running. MCD (mel-cepstral distortion): coefficients 1 to "
        f"{ORDER}, frames paired by dynamic time warping over the same coefficients, mean over the path. MCD mel: "
        f"of {mel.n_mels} mel bins, frames of {1000 * mel.hop / mel.sample_rate_hz:g} ms, with no vocoder between, so "
        "that a vocoded recording has no distance. Per frame: the path's sum divided by the "
        "recording's frames, so that what is drawn out or left unsaid adds to it. Length: divided by the recording's. "
        "Stopped: by itself, without being cut off. "
    )
    columns = [*_DISTANCES]
    if any(voice.get(key) is not None for voice in speech.values() for key, *_ in _BY_WORLD):
        columns += _BY_WORLD
        note += (
            f"WORLD: MCD of spectral envelopes at {mel.sample_rate_hz} Hz, frames of {WORLD_FRAME_MS:g} ms, all-pass "
            f"constant {all_pass_constant(mel.sample_rate_hz):g}. Log F0: RMS error over frames voiced in both. "
            "Voicing: paired frames of which one alone is voiced."
        )
    else:
        note += "Pitch, and the distortion of WORLD's envelopes, were not measured: they need the extra `speech`."
    return Table("Speech", ["voice", *(name for _, name, _, _ in columns)], _rows(speech, columns), note)


def reading_table(speech: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return how the attention of the head that reads best went through the text."""
    networks = {voice: figures for voice, figures in speech.items() if "focus_rate" in figures}
    note = (
        "Of the head that reads best in each utterance. Focus rate: mean over steps of the largest weight (Ren et al. "
        "2019). Moves between steps of the most attended symbol: forward by at most 3 symbols, back, or further. Text "
        "attended: symbols between the first and the last one that is attended most, of all. Speech of a single step "
        "has no moves, which counts as forward."
    )
    return Table(
        "Attention in figures", ["voice", *(name for _, name, _, _ in _READING)], _rows(networks, _READING), note
    )


def ledger_table(ledger: Ledger) -> Table:
    """Return the ledger's sums by direction and kind, in its three figures, with the total set off."""
    rows: list[list[Cell]] = [
        [TOWARDS[str(direction)], label_of(str(kind)), *totals]
        for (direction, kind), totals in ledger.totals("direction", "kind").items()
    ]
    rows.append(["both", "all", *ledger.total()])
    note = (
        f"After {ledger.rounds} rounds, over all clients. Dense: the same tensors as plain float32. Payload: encoded "
        "values, indices, scales, masks. Message: all of it, header and alignment included. Every row by round, client "
        f"and tensor group is in artifacts/{LEDGER_CSV} once the training has ended; chorale fedtts ledger adds "
        "them up."
    )
    columns = ["direction", "kind", "dense float32 / bytes", "payload / bytes", "message / bytes"]
    return Table("Ledger", columns, rows, note, highlight=[len(rows) - 1])


def physical_table(ledger: Ledger, config: FedttsConfig) -> Table:
    """Return clients' messages beside the buffers that were handed to MPI."""
    rows: list[list[Cell]] = []
    for direction in DIRECTIONS:
        logical, physical = (ledger.total(physical, direction) for physical in (False, True))
        rows.append(_compared(TOWARDS[direction], logical, physical))
    rows.append(_compared("both", ledger.total(), ledger.total(physical=True)))
    federation = config.federation
    note = (
        "Logical bytes do not depend on the number of ranks. Physical ones do: clients on the server's own rank send "
        "nothing through MPI, and a rank is sent what its clients need once"
    )
    if federation.aggregate_in_rank:
        note += "; a rank adds its clients' updates up before it sends them, as integers of 64 bits"
    note += ". What follows a round, and signs of life, are physical alone."
    columns = ["direction", "logical / bytes", "physical / bytes", "physical / logical"]
    return Table("Logical and physical bytes", columns, rows, note, highlight=[len(rows) - 1])


def _compared(name: str, logical: Totals, physical: Totals) -> list[Cell]:
    one, other = logical.serialised_bytes, physical.serialised_bytes
    return [name, one, other, round(other / one, 3) if one else None]


def _rows(speech: Mapping[str, Mapping[str, Any]], measures: Sequence[tuple[str, str, float, int]]) -> list[list[Cell]]:
    order = [*(voice for voice in VOICES if voice in speech), *(voice for voice in speech if voice not in VOICES)]
    return [
        [
            VOICES.get(voice, voice),
            *(_cell(speech[voice].get(name), scale, digits) for name, _, scale, digits in measures),
        ]
        for voice in order
    ]


def _cell(value: float | None, scale: float, digits: int) -> Cell:
    return None if value is None else round(scale * value, digits)
