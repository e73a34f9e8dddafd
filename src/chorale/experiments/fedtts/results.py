"""Names of the stages of a run, and of the files that they leave. No heavy imports: the command line loads this."""

from __future__ import annotations

from pathlib import Path

from chorale.runs.directory import Run

LISTS_STAGE = "lists"
"""Reads the corpus, numbers its symbols and splits it."""
FEATURES_STAGE = "features"
"""Computes the mel spectrograms, a shard per item."""
STORE_STAGE = "store"
"""Closes the feature store, and measures the training part's mean and deviation."""
TRAIN_STAGE = "train"
"""Trains: centrally, or by a federation."""
SPEAK_STAGE = "speak"
"""Speaks utterances free-running, and measures them."""
SUMMARY_STAGE = "summary"
"""Puts the figures together."""
TARGETS_STAGE, ARMS_STAGE = "targets", "arms"
"""Of a comparison: train what sets the target loss, and what is compared."""
SPEECH_FILE = "speech.json"
"""What was measured of each spoken utterance, below the artifacts."""
SUMMARY_FILE = "summary.json"
"""The figures of the run, below the artifacts."""

RECORDING, VOCODED, TRAINED, UNTRAINED = "recording", "vocoded", "trained", "untrained"
"""Voices: the recording, the recording's mel through the vocoder, the trained network and the network at its birth."""
LEDGER_CSV, LEDGER_PARQUET = "ledger.csv", "ledger.parquet"
"""Every row of the ledger, below the artifacts, beside the archive that the program itself reads."""


def sound_file(run: Run, key: str, voice: str) -> Path:
    """Return where an utterance's sound lies, as one of the voices said it; its attention is beside it, as PNG."""
    return run.artifacts / "speech" / f"{key.replace('/', '_')}-{voice}.wav"
