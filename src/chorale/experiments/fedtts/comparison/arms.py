"""The arms of the comparison: what is trained, each derived from the run's own configuration.

Where nothing is said, an arm has what the run has: corpus, split into clients, network, rounds, local steps, rates.
No heavy imports: stages are declared from this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from chorale.core.config import Config
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.config.network import GrowthConfig
from chorale.experiments.fedtts.config.training import ReductionStage
from chorale.ranks.config import BackendConfig

ConfigT = TypeVar("ConfigT", bound=Config)
CENTRAL, BASE, GROWING, RANDOM, SHALLOW = "central", "full", "growing", "random", "shallow"
"""Names of the arms with the base number of clients; with another number, it follows: ``full-2``."""
BASE_INT8, GROWING_INT8 = "full-int8", "growing-int8"
_INT8 = CodecConfig(kind="int8")


class Arm(NamedTuple):
    """One way of training.

    Attributes:
        label: For people.
        configure: Returns its configuration, but for the seed.
    """

    label: str
    configure: Callable[[FedttsConfig], FedttsConfig]


def arms_of(config: FedttsConfig) -> dict[str, Arm]:
    """Return the arms by name, in the table's order."""
    base = config.comparison.base_clients
    arms = {CENTRAL: Arm("central", central)}
    for name, label, arm in ((BASE, "full depth", full_depth), (GROWING, "growing depth", growing_depth)):
        for clients in config.comparison.clients:
            arms[sized(config, name, clients)] = Arm(f"{label}, {clients} clients", partial(arm, clients=clients))
    arms[RANDOM] = Arm(f"random depth, {base} clients", random_depth)
    arms[SHALLOW] = Arm(f"constant shallow depth, {base} clients", constant_shallow)
    arms[BASE_INT8] = Arm(f"full depth, int8 both ways, {base} clients", full_depth_int8)
    arms[GROWING_INT8] = Arm(f"growing depth, int8 both ways, {base} clients", growing_depth_int8)
    return arms


def sized(config: FedttsConfig, name: str, clients: int) -> str:
    """Return the name of an arm with so many clients."""
    return name if clients == config.comparison.base_clients else f"{name}-{clients}"


def arm_config(config: FedttsConfig, name: str, seed: int) -> FedttsConfig:
    """Return the configuration of one training.

    Args:
        config: Of the run.
        name: Of the arm.
        seed: Of first weights, batches, dropout, random depth and clients' speeds; not of the split into clients.
    """
    return changed(arms_of(config)[name].configure(config), seed=seed)


def central(config: FedttsConfig) -> FedttsConfig:
    """All utterances on one machine: for each local step of a round one step, on as many utterances as all clients'."""
    local, federation = config.local, config.federation
    steps = local.steps or 1
    recipe = changed(
        config.recipe,
        steps=federation.rounds * steps,
        batch=local.batch * config.comparison.base_clients,
        rate=local.rate,
        warmup_steps=local.warmup_rounds * steps,
        weight_decay=0.0,
        reduction=(ReductionStage(start=0.0, factor=federation.reduction),),
        log_every=federation.evaluate_every * steps,
        evaluate_every=federation.evaluate_every * steps,
    )
    backend = BackendConfig(clip_norm=local.clip_norm)
    return changed(config, mode="central", growth=GrowthConfig(), recipe=recipe, backend=backend)


def full_depth(config: FedttsConfig, clients: int | None = None) -> FedttsConfig:
    """The plain federation: every layer from the start."""
    return changed(_federated(config, clients), growth=GrowthConfig())


def growing_depth(config: FedttsConfig, clients: int | None = None) -> FedttsConfig:
    """The dynamic transformer, first reading: layers are added at stage boundaries, as the run says."""
    return _federated(config, clients)


def random_depth(config: FedttsConfig) -> FedttsConfig:
    """The dynamic transformer, second reading: each round a random part of the layers."""
    return changed(_federated(config), growth=changed(config.growth, kind="random"))


def constant_shallow(config: FedttsConfig) -> FedttsConfig:
    """A network that stays as deep as the growing one begins."""
    layers = config.growth.first_layers
    network = changed(config.network, encoder_layers=layers, decoder_layers=layers)
    return changed(full_depth(config), network=network)


def full_depth_int8(config: FedttsConfig) -> FedttsConfig:
    """Full depth, each direction in int8."""
    return _quantised(full_depth(config))


def growing_depth_int8(config: FedttsConfig) -> FedttsConfig:
    """Growing depth, each direction in int8."""
    return _quantised(growing_depth(config))


def changed(config: ConfigT, **values: object) -> ConfigT:
    """Return a configuration with other values, checked like any other."""
    model = type(config)
    return model.model_validate({**{name: getattr(config, name) for name in model.model_fields}, **values})


def _federated(config: FedttsConfig, clients: int | None = None) -> FedttsConfig:
    federation = changed(config.federation, clients=clients or config.comparison.base_clients)
    # Each training is one process: the array goes side by side instead.
    return changed(config, mode="federated", federation=federation, where=changed(config.where, ranks=1))


def _quantised(config: FedttsConfig) -> FedttsConfig:
    return changed(config, federation=changed(config.federation, down=_INT8, up=_INT8))
