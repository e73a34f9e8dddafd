"""One network from genome to error rates: train from scratch, embed, score, measure."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
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
from chorale.experiments.autovector.training import ChunkSampler, build, train
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context


class Measured(NamedTuple):
    """What one training gave.

    Attributes:
        result: JSON: error rates, costs, loss, seconds.
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
        WorkError: The loss is not finite, or the scores are constant or not finite.
    """
    set_threads(context.where.threads)
    device = pick_device(context.where.device)
    sizes = architecture(genome, config.space, data.n_features)
    started = time.monotonic()
    network, loss = build(sizes, len(data.training), recipe, seed)
    last_loss = train(network, loss, ChunkSampler(data.features, data.training, recipe, seed), device, context.log_all)
    seconds = time.monotonic() - started

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
        "loss": last_loss,
        "seconds": round(seconds, 3),
        "seed": seed,
    }
    context.log_all(recipe.steps, {"eer": result["eer"], "seconds": seconds})
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
