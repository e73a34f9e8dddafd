"""One network from genome to error rates: train from scratch, embed, score, measure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from chorale.core.errors import WorkError
from chorale.experiments.autovector.architecture import architecture
from chorale.experiments.autovector.cache import result_key
from chorale.experiments.autovector.config import AutovectorConfig, RecipeConfig
from chorale.experiments.autovector.dataset import Part, SpeakerData, TrialList
from chorale.experiments.autovector.embedding import embed
from chorale.experiments.autovector.genome import Genome, canonical
from chorale.experiments.autovector.macs import mac_count, parameter_count
from chorale.experiments.autovector.metrics import dcf_name, equal_error_rate, error_rates, min_dcf, sort_trials
from chorale.experiments.autovector.network import SpeakerNetwork
from chorale.experiments.autovector.scoring import cosine_scores
from chorale.experiments.autovector.training import ChunkSampler, SpeakerTask, build
from chorale.ranks.config import BackendConfig
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.training.config import LoopConfig
from chorale.training.loop import Trained, train


class Measured(NamedTuple):
    """What one network gave.

    Attributes:
        result: JSON: error rates, costs, sizes; after a training also loss, seconds and seed.
        scores: Of the trials, ``(trials,)``.
    """

    result: dict[str, Any]
    scores: NDArray[np.float32]


def cache_key(genome: Genome, config: AutovectorConfig, recipe: RecipeConfig, data: str, part: Part, seed: int) -> str:
    """Return the hash of everything a result depends on.

    Args:
        genome: The network; genes that do not shape it do not count.
        config: Its space (for the scale of widths) and evaluation.
        recipe: How it is trained; its steps are the fidelity.
        data: Identity of lists, trials and features.
        part: Whose trials are scored.
        seed: Of the training.
    """
    space = config.space
    return result_key(
        genome=canonical(genome),
        scale=[space.width_multiplier, space.width_step, space.attention],
        recipe=recipe.model_dump(mode="json", exclude={"log_every"}),
        evaluation=config.evaluation.model_dump(mode="json", exclude={"bootstrap", "det_points"}),
        data=data,
        part=part,
        seed=seed,
    )


def measure(
    genome: Genome,
    recipe: RecipeConfig,
    seed: int,
    data: SpeakerData,
    trials: TrialList,
    config: AutovectorConfig,
    context: Context,
) -> Measured:
    """Train the network of ``genome`` and score ``trials``.

    Raises:
        StoppedError: The training was asked to stop, and has saved itself.
        WorkError: The loss is not finite, or the scores are constant or not finite.
    """
    task, trained = train_network(genome, recipe, seed, data, BackendConfig(), config, context)
    network = task.model.network
    result, scores = score(genome, network, data, trials, config, pick_device(context.where.device))
    result |= {"loss": trained.metrics["loss"], "seconds": round(trained.seconds, 3), "seed": seed}
    context.log_all(recipe.steps, {"eer": result["eer"], "seconds": trained.seconds})
    return Measured(result, scores)


def train_network(
    genome: Genome,
    recipe: RecipeConfig,
    seed: int,
    data: SpeakerData,
    backend: BackendConfig,
    config: AutovectorConfig,
    context: Context,
) -> tuple[SpeakerTask, Trained]:
    """Train the network of ``genome``, from its newest checkpoint if there is one; on ALL ranks.

    Raises:
        StoppedError: It was asked to stop, and has saved itself.
        WorkError: The loss is not finite.
    """
    set_threads(context.where.threads)
    model = build(architecture(genome, config.space, data.n_features), len(data.training), recipe, seed)
    sampler = ChunkSampler(data.features, data.training, recipe, seed)
    task = SpeakerTask(model, sampler, backend, context.ranks, pick_device(context.where.device))
    loop = LoopConfig(steps=recipe.steps, log_every=recipe.log_every, checkpoint=config.checkpoint)
    return task, train(task, loop, context, seed)


def score(
    genome: Genome,
    network: SpeakerNetwork,
    data: SpeakerData,
    trials: TrialList,
    config: AutovectorConfig,
    device: torch.device,
) -> Measured:
    """Score ``trials`` with a trained network.

    Raises:
        WorkError: The scores are constant or not finite.
    """
    sizes = architecture(genome, config.space, data.n_features)
    centre = _embed(network, data, data.centring(config.evaluation.centring_utterances), config, device).mean(axis=0)
    rows, positions = np.unique(np.concatenate([trials.first, trials.second]), return_inverse=True)
    embeddings = _embed(network, data, rows.tolist(), config, device)
    first, second = np.split(positions, 2)
    scores = cosine_scores(embeddings, centre, first, second)
    _refuse_collapsed(scores)

    rates = error_rates(sort_trials(scores, trials.labels))
    result: dict[str, Any] = {
        "eer": equal_error_rate(rates),
        **{dcf_name(p): min_dcf(rates, p) for p in config.evaluation.p_targets},
        "parameters": parameter_count(sizes),
        "macs": mac_count(sizes, config.evaluation.mac_frames),
    }
    return Measured(result, scores)


def _embed(
    network: SpeakerNetwork, data: SpeakerData, utterances: list[int], config: AutovectorConfig, device: Any
) -> NDArray[np.float32]:
    step, batch = config.evaluation.length_step, config.evaluation.batch_frames
    return embed(network, data.features, data.lengths, utterances, step, batch, device)


def _refuse_collapsed(scores: NDArray[np.float32]) -> None:
    if not np.isfinite(scores).all():
        raise WorkError(f"collapsed: {int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite")
    if scores.min() == scores.max():
        raise WorkError(f"collapsed: all {len(scores)} scores are {float(scores[0]):g}")
