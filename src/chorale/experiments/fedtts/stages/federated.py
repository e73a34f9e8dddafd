"""Federated training: the clients' utterances stay with the ranks that host them, and updates cross."""

from __future__ import annotations

from typing import Any

import torch

from chorale.core.errors import MissingExtraError
from chorale.core.logs import get_logger
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.federation import FederationConfig
from chorale.experiments.fedtts.corpus.speech_data import SpeechData
from chorale.experiments.fedtts.federation import ledger_files
from chorale.experiments.fedtts.federation.ledger import Ledger
from chorale.experiments.fedtts.federation.partition import partition
from chorale.experiments.fedtts.federation.privacy.differential import epsilon, local_epsilon
from chorale.experiments.fedtts.federation.rounds import Federated, Federation, run_rounds
from chorale.experiments.fedtts.federation.trainer import Trainer
from chorale.experiments.fedtts.local import LocalTrainer
from chorale.experiments.fedtts.network.initial import initial_tensors, tensor_shapes
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.network.storage import NETWORK_FILE, save_network
from chorale.experiments.fedtts.noise import NoiseTrainer
from chorale.experiments.fedtts.results import LEDGER_CSV, LEDGER_PARQUET
from chorale.experiments.fedtts.schedule import make_schedule
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device
from chorale.runs.context import Context
from chorale.runs.contract import Outcome

# What a client would have, where none trains and none needs utterances.
_FRAMES_WITHOUT_TRAINING = 10_000
_log = get_logger(__name__)


def train(context: Context, config: FedttsConfig) -> Outcome | None:
    """Do the rounds on all ranks, from the newest checkpoint if there is one; rank 0 keeps network and ledger.

    Raises:
        StoppedError: It was asked to stop, and has saved itself.
        WorkError: An update is not finite, a rank is gone, or the ledger does not agree with MPI.
    """
    data = SpeechData(context.run, config)
    ended = run_rounds(federation_of(config, data, context.where.device), context)
    if ended is None:
        return None
    tensors = {name: torch.from_numpy(value) for name, value in ended.tensors.items()}
    save_network(context.artifacts / NETWORK_FILE, tensors)
    _keep_ledger(context, ended.ledger)
    return Outcome(
        {
            "parameters": sum(value.numel() for value in tensors.values()),
            "parameter_hash": hash_state(tensors),
            "rounds": config.federation.rounds,
            "clients": config.federation.clients,
            "simulated_s": ended.simulated_s,
            **_bytes(ended),
            **_privacy(config.federation),
            **{name: value for name, value in ended.metrics.items() if not name.startswith("time/")},
        }
    )


def federation_of(config: FedttsConfig, data: SpeechData, device: str = "cpu") -> Federation:
    """Return all that the rounds need; the same on every rank."""
    n_symbols, n_mels, full = data.n_symbols, config.mel.n_mels, full_depth(config.network)
    schedule = make_schedule(config, n_symbols, _symbols_per_frame(data))
    first = schedule.depth_at(0)
    return Federation(
        config.federation,
        config.checkpoint,
        config.seed,
        _trainer(config, data, device),
        schedule,
        tensor_shapes(config.network, n_symbols, n_mels, full),
        initial_tensors(config.network, n_symbols, n_mels, first, config.seed),
    )


def _trainer(config: FedttsConfig, data: SpeechData, device: Any) -> Trainer:
    federation = config.federation
    if not federation.train:
        return NoiseTrainer([_FRAMES_WITHOUT_TRAINING] * federation.clients, config.seed)
    shares = partition(data.train, federation.partition, federation.clients, config.data_seed)
    clients = [[data.train[index] for index in share] for share in shares]
    return LocalTrainer(data, config, clients, config.seed, device=pick_device(device))


def _symbols_per_frame(data: SpeechData) -> float:
    return sum(len(entry.symbols) for entry in data.train) / sum(entry.frames for entry in data.train)


def _keep_ledger(context: Context, ledger: Ledger) -> None:
    ledger_files.save(ledger, context.artifacts / ledger_files.FILE_NAME)
    ledger_files.write_csv(ledger, context.artifacts / LEDGER_CSV)
    try:
        ledger_files.write_parquet(ledger, context.artifacts / LEDGER_PARQUET)
    except MissingExtraError as error:
        _log.info("the ledger is kept as CSV alone: %s", error)


def _privacy(config: FederationConfig) -> dict[str, float]:
    """Return what differential privacy has come to; nothing without."""
    privacy, rounds = config.privacy, config.rounds
    if privacy.dp == "none" or privacy.noise == 0:
        return {}
    asked = config.participation.per_round or config.clients
    if privacy.dp == "local":
        return {"epsilon": local_epsilon(rounds, privacy.noise, privacy.delta), "delta": privacy.delta}
    return {"epsilon": epsilon(rounds, asked / config.clients, privacy.noise, privacy.delta), "delta": privacy.delta}


def _bytes(ended: Federated) -> dict[str, int]:
    logical, physical = ended.ledger.total(), ended.ledger.total(physical=True)
    return {"ledger_bytes": logical.serialised_bytes, "mpi_bytes": physical.serialised_bytes}
