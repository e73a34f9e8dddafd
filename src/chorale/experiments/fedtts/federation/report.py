"""What a rank tells the server about its clients' round, in arrays whose length does not depend on measured values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.accounting import Entries
from chorale.experiments.fedtts.federation.codecs import EncodedTensor, decode_integers, encode_integers
from chorale.experiments.fedtts.federation.ledger import FIGURES, Entry

Integers = NDArray[np.int64]
PREFIX = "report/"
"""Of the names of a report's arrays in a message."""
_US = 1e6
_COLUMNS = 6


@dataclass(frozen=True)
class ClientReport:
    """What the server keeps of a client's round besides its update.

    Attributes:
        client: Who.
        weight: With which its update counts.
        frames: Mel frames that it trained on.
        steps: Of its optimizer.
        seconds: Simulated, from the round's begin until the server has the answer.
        is_late: Whether that is past the deadline, and the answer does not count.
        metrics: Sums over its steps.
        entries: Bytes of its answer.
    """

    client: int
    weight: int
    frames: int
    steps: int
    seconds: float
    is_late: bool
    metrics: Mapping[str, float]
    entries: Entries


@dataclass(frozen=True)
class RankReport:
    """What one rank tells.

    Attributes:
        clients: Of each of its clients that trained.
        compute_s: Wall time of training, over its clients.
        codec_s: Wall time of encoding, decoding and adding up.
    """

    clients: Sequence[ClientReport]
    compute_s: float
    codec_s: float

    def pack(self) -> tuple[dict[str, JsonValue], dict[str, EncodedTensor]]:
        """Return facts and arrays for a message."""
        reports = self.clients
        names = sorted(reports[0].metrics) if reports else []
        keys = [(entry.group, entry.kind) for entry in reports[0].entries] if reports else []
        integers = [[r.client, r.weight, r.frames, r.steps, int(r.is_late)] for r in reports]
        # The bits of floats, not their digits: nothing may be lost on the way.
        floats = [[r.seconds, *(float(r.metrics.get(name, 0.0)) for name in names)] for r in reports]
        table = np.concatenate(
            [
                np.array(integers, np.int64).reshape(len(reports), _COLUMNS - 1),
                np.array(floats, np.float64).reshape(len(reports), 1 + len(names)).view(np.int64),
            ],
            axis=1,
        )
        sizes = [[entry[-len(FIGURES) :] for entry in r.entries] for r in reports]
        rows = np.array(sizes, np.int64).reshape(len(reports), len(keys), len(FIGURES))
        seconds = np.array([round(self.compute_s * _US), round(self.codec_s * _US)], np.int64)
        facts: dict[str, JsonValue] = {"metrics": list(names), "keys": [list(key) for key in keys]}
        return facts, encode_integers({f"{PREFIX}clients": table, f"{PREFIX}rows": rows, f"{PREFIX}seconds": seconds})


def read_report(facts: Mapping[str, Any], tensors: Mapping[str, EncodedTensor]) -> RankReport:
    """Return what ``RankReport.pack`` packed.

    Raises:
        WorkError: Something is missing or of another form.
    """
    try:
        arrays = decode_integers({name: tensors[f"{PREFIX}{name}"] for name in ("clients", "rows", "seconds")})
        names = [str(name) for name in facts["metrics"]]
        keys = tuple((str(group), str(kind)) for group, kind in facts["keys"])
        table, rows = arrays["clients"], arrays["rows"]
        if table.shape != (len(rows), _COLUMNS + len(names)) or rows.shape != (len(table), len(keys), len(FIGURES)):
            raise ValueError(f"arrays of shapes {table.shape} and {rows.shape}")
        compute_us, codec_us = arrays["seconds"].tolist()
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"a rank's report is malformed: {error!r}") from error
    floats = np.ascontiguousarray(table[:, _COLUMNS - 1 :]).view(np.float64)
    reports = []
    for (client, weight, frames, steps, is_late), (seconds, *sums), sizes in zip(
        table[:, : _COLUMNS - 1].tolist(), floats.tolist(), rows.tolist(), strict=True
    ):
        metrics = dict(zip(names, sums, strict=True))
        entries = tuple(Entry(*key, *figures) for key, figures in zip(keys, sizes, strict=True))
        reports.append(ClientReport(client, weight, frames, steps, seconds, bool(is_late), metrics, entries))
    return RankReport(reports, compute_us / _US, codec_us / _US)
