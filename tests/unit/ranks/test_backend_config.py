"""Which backend a training has decides what must join its ranks, and how many processes its stage wishes for."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from chorale.core.errors import MissingExtraError
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.declaration import first_stages as autovector_stages
from chorale.experiments.fedtts.config import FedttsConfig
from chorale.experiments.fedtts.declaration import first_stages as fedtts_stages
from chorale.launch.mpi_here import ranks_wished
from chorale.ranks.backends.base import make_engine
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import SingleProcess
from chorale.runs.contract import Stage

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")
BACKEND = {"nodes": 2, "ranks_per_node": 3}


def training_stages(kind: str) -> list[Stage]:
    """The training stage of each experiment that has one of gradient training by ranks."""
    backend = {**BACKEND, "kind": kind}
    speech = FedttsConfig(experiment="fedtts", mode="central", backend=backend)
    speakers = AutovectorConfig(experiment="autovector", search={"algorithm": "none"}, backend=backend)
    declared = [*fedtts_stages(speech), *autovector_stages(speakers)]
    return [stage for stage in declared if stage.name == "train"]


@pytest.mark.parametrize("kind", ["single", "ddp", "deepspeed"])
def test_all_but_horovod_train_on_ranks_that_torch_joins(kind: str) -> None:
    assert BackendConfig(kind=kind).stage_kind == "ranks"


def test_with_horovod_a_training_stage_is_one_of_mpi_with_nodes_times_ranks_per_node_processes() -> None:
    stages = training_stages("horovod")
    assert [(stage.kind, ranks_wished(stage)) for stage in stages] == [("mpi", 6)] * 2


def test_with_ddp_a_training_stage_is_one_of_ranks_and_one_process_where_there_is_no_launcher() -> None:
    stages = training_stages("ddp")
    assert [(stage.kind, ranks_wished(stage)) for stage in stages] == [("ranks", 1)] * 2


def test_deepspeed_refuses_channels_last_for_it_lays_parameters_end_to_end() -> None:
    with pytest.raises(ValueError, match="channels_last: DeepSpeed lays parameters end to end"):
        BackendConfig(kind="deepspeed", channels_last=True)


@pytest.mark.parametrize("channels_last", [False, True])
def test_an_engine_lays_its_weights_out_as_configured(channels_last: bool) -> None:
    config = BackendConfig(channels_last=channels_last)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    engine = make_engine("net", network, lambda ps: torch.optim.SGD(ps, lr=0.1), config, SingleProcess(), CPU)
    weight = engine.network.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_without_horovod_one_line_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from chorale.ranks.horovod import join

    monkeypatch.setitem(sys.modules, "horovod.torch", None)
    with pytest.raises(MissingExtraError, match=r"^horovod is not installed; build it, .*: make native$"):
        join(SingleProcess())
