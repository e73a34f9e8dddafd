"""Central training: one network on all utterances, by as many ranks as there are."""

from __future__ import annotations

from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.corpus.speech_data import SpeechData
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.network.storage import NETWORK_FILE, save_network
from chorale.experiments.fedtts.training import SpeechTask
from chorale.ranks.backends.base import hash_state
from chorale.ranks.device import pick_device, set_threads
from chorale.runs.context import Context
from chorale.runs.contract import Outcome
from chorale.training import loop
from chorale.training.config import LoopConfig

_NETWORK = "network."


def train(context: Context, config: FedttsConfig) -> Outcome:
    """Train on all ranks, from the newest checkpoint if there is one, and keep the network.

    Raises:
        StoppedError: It was asked to stop, and has saved itself.
        WorkError: The loss is not finite, or a rank is gone.
    """
    set_threads(context.where.threads)
    data = SpeechData(context.run, config)
    network = build(config.network, data.n_symbols, config.mel.n_mels, full_depth(config.network), config.seed)
    task = SpeechTask(network, data, config, context.ranks, pick_device(context.where.device))
    recipe = config.recipe
    steps = LoopConfig(
        steps=recipe.steps,
        log_every=recipe.log_every,
        evaluate_every=recipe.evaluate_every or recipe.steps,
        checkpoint=config.checkpoint,
    )
    trained = loop.train(task, steps, context, config.seed)
    state = task.engine.full_state()
    tensors = {name.removeprefix(_NETWORK): value for name, value in state.items() if name.startswith(_NETWORK)}
    if context.ranks.rank == 0:
        save_network(context.artifacts / NETWORK_FILE, tensors)
    return Outcome(
        {
            "world_size": context.ranks.size,
            "parameters": sum(value.numel() for value in tensors.values()),
            "parameter_hash": hash_state(tensors),
            "seconds": round(trained.seconds, 3),
            **trained.metrics,
        }
    )
