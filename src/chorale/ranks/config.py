"""How the ranks of one training compute together. Part of a run's identity: another backend adds in another order."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.ranks.group import GroupKind

BackendKind = Literal["single", "ddp", "deepspeed", "horovod"]


class BackendConfig(Config):
    """The engine that carries out forward, backward and step."""

    kind: BackendKind = "single"
    """``single``: one process; ``ddp``: torch's DistributedDataParallel; ``deepspeed``: DeepSpeed with ZeRO;
    ``horovod``: Horovod over MPI."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    """What DeepSpeed splits between ranks: nothing, optimizer state, also gradients, also parameters."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16`` computes under autocast; parameters, optimizer and sums over ranks stay fp32."""
    channels_last: bool = False
    """Convolutions over images keep channels last in memory, as a GPU's matrix units take them; on any device they then
    round differently. Not with ``deepspeed``, which lays parameters end to end."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest global L2 norm of the gradients; not clipped if not given."""
    nodes: int = Field(1, ge=1)
    """Hosts that the training wishes for."""
    ranks_per_node: int = Field(1, ge=1)
    """Processes per host, one per GPU where there are GPUs."""

    @model_validator(mode="after")
    def _fits(self) -> BackendConfig:
        if self.kind == "single" and self.world_size > 1:
            raise ValueError(f"kind: single is one process, and {self.world_size} are wished for; choose ddp")
        if self.kind == "deepspeed" and self.channels_last:
            raise ValueError("channels_last: DeepSpeed lays parameters end to end; choose ddp, or set it to false")
        return self

    @property
    def world_size(self) -> int:
        """Processes that the training wishes for; one process alone may carry it out too."""
        return self.nodes * self.ranks_per_node

    @property
    def stage_kind(self) -> GroupKind:
        """What must have joined the ranks of a stage that trains so: the ``kind`` to declare it with."""
        return "mpi" if self.kind == "horovod" else "ranks"
