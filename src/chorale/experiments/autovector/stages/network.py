"""One network without a search: trained by a group of ranks, then scored on the test trials by one process."""

from __future__ import annotations

from typing import Any

import torch

from chorale.core import files
from chorale.experiments.autovector.architecture import architecture
from chorale.experiments.autovector.candidate import score, train_network
from chorale.experiments.autovector.comparison import XVECTOR, compare
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.dataset import SpeakerData
from chorale.experiments.autovector.network import SpeakerNetwork
from chorale.experiments.autovector.results import SUMMARY_FILE, TRAIN_STAGE, count_trainings
from chorale.experiments.autovector.score_file import read_scores, write_scores
from chorale.experiments.autovector.stages.finalists import describe_trials
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device
from chorale.runs.context import Context
from chorale.runs.contract import Outcome

NETWORK_FILE = "networks/x-vector.pt"
_SCORES_FILE = "scores/x-vector.txt"
_NETWORK = "network."


def train(context: Context, config: AutovectorConfig) -> Outcome:
    """Train the x-vector on all ranks, from its newest checkpoint if there is one, and keep the network.

    Raises:
        StoppedError: It was asked to stop, and has saved itself.
        WorkError: The loss is not finite, or a rank is gone.
    """
    data = SpeakerData(context.run, config)
    task, trained = train_network(
        config.space.xvector(), config.recipe, config.seed, data, config.backend, config, context
    )
    state = task.engine.full_state()
    if context.ranks.rank == 0:
        network = {name.removeprefix(_NETWORK): value for name, value in state.items() if name.startswith(_NETWORK)}
        with files.atomic_path(context.artifacts / NETWORK_FILE) as temporary:
            torch.save(network, temporary)
    return Outcome(
        {
            "source": "executed",
            "world_size": context.ranks.size,
            "parameter_hash": hash_state(state),
            "seconds": round(trained.seconds, 3),
            "seed": config.seed,
            **trained.metrics,
        }
    )


def summarise(context: Context, config: AutovectorConfig) -> Outcome:
    """Score the test trials with the trained network and write the final table."""
    data = SpeakerData(context.run, config)
    genome, trials = config.space.xvector(), data.trials("test")
    network = SpeakerNetwork(architecture(genome, config.space, data.n_features))
    network.load_state_dict(torch.load(context.artifacts / NETWORK_FILE, map_location="cpu", weights_only=True))
    measured = score(genome, network, data, trials, config, pick_device(context.where.device))
    write_scores(context.artifacts / _SCORES_FILE, trials.labels, measured.scores)
    (record,) = context.records(TRAIN_STAGE)
    training: Any = record.result
    result = {**training, **measured.result, "genome": dict(genome)}
    rows = compare(
        {XVECTOR: [result]},
        {XVECTOR: [read_scores(context.artifacts / _SCORES_FILE)[1]]},
        trials.labels,
        trials.first_speaker,
        trials.second_speaker,
        config.evaluation,
        config.seed,
    )
    summary: dict[str, Any] = {
        "rows": rows,
        "verdict": (
            f"One x-vector, trained by {training['world_size']} rank(s), has an EER of {100 * result['eer']:.2f} % on "
            f"the test trials. Its parameters' SHA-256 is {training['parameter_hash']}."
        ),
        "eer": result["eer"],
        "parameter_hash": training["parameter_hash"],
        "world_size": training["world_size"],
        "scores": {XVECTOR: [_SCORES_FILE]},
        "failed_finalists": [],
        "best_is_xvector": False,
        **describe_trials(trials, config),
        **count_trainings([record]),
    }
    files.write_json(context.artifacts / SUMMARY_FILE, summary)
    return Outcome(summary)
