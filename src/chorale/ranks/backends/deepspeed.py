"""DeepSpeed with ZeRO 0 to 3, made to sum gradients over ranks instead of averaging them."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import stat
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chorale.core.errors import InputError, MissingExtraError
from chorale.ranks.backends.base import Engine, OptimizerFactory
from chorale.ranks.config import BackendConfig
from chorale.ranks.environment import read_environment
from chorale.ranks.group import Group


class DeepSpeedEngine(Engine):
    """See :func:`~chorale.ranks.backends.base.make_engine` for the arguments.

    torch's optimizers are used as they are (``zero_allow_untested_optimizer``), so nothing is compiled for them.

    Raises:
        MissingExtraError: DeepSpeed is not installed.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimizer: OptimizerFactory,
        config: BackendConfig,
        group: Group,
        device: torch.device,
    ) -> None:
        deepspeed = _import(device)
        _join(group)
        super().__init__(name, network, config, group, device)
        self._engine, *_ = deepspeed.initialize(
            model=self.network, optimizer=optimizer(self.network.parameters()), config=_settings(config)
        )
        self.module = self._engine
        self.network = self._engine.module

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context that does nothing: DeepSpeed's forward pass is under autocast itself."""
        return contextlib.nullcontext()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._engine.zero_grad()

    def backward(self, loss: Tensor) -> None:
        """Compute gradients of the sum over ranks of ``loss``; DeepSpeed divides by the number of ranks."""
        self._engine.backward(loss * self._group.size)

    def step(self) -> None:
        """Clip to the configured global norm, if any, and let the optimizer step."""
        self._engine.step()

    def gradients(self) -> dict[str, Tensor]:
        """Return every parameter's whole gradient, summed over ranks; on ALL ranks."""
        from deepspeed.utils import safe_get_full_grad

        found = {name: safe_get_full_grad(parameter) for name, parameter in self.network.named_parameters()}
        return {name: gradient.detach().cpu().clone() for name, gradient in found.items() if gradient is not None}

    def save(self, directory: Path) -> list[Path]:
        """Write this rank's part, on ALL ranks; return the files that this rank wrote."""
        self._engine.save_checkpoint(str(directory), tag=self.name, save_latest=False)
        own = f"zero_pp_rank_{self._group.rank}_"
        if self._group.rank == 0:
            torch.save(dict(self.network.named_buffers()), self._buffers(directory))
        written = sorted((directory / self.name).iterdir())
        # What carries no rank in its name is written once, by rank 0.
        return [
            path
            for path in written
            if path.name.startswith(own) or (self._group.rank == 0 and not path.name.startswith("zero_pp_rank_"))
        ]

    def load(self, directory: Path, world_size: int) -> None:
        """Read what :meth:`save` wrote; with another number of ranks through DeepSpeed's universal checkpoint.

        Raises:
            InputError: The files belong to another user, or others may write them.
        """
        # DeepSpeed unpickles without restraint, which is a program: only one's own may run.
        _require_own(directory / self.name)
        if world_size == self._group.size or self._config.zero_stage == 0:
            self._load(directory, universal=False)
            return
        universal = directory.with_name(f".{directory.name}.universal")
        if self._group.rank == 0:
            _convert(directory / self.name, universal / self.name)
        self._group.barrier()
        self._load(universal, universal=True)
        # A universal checkpoint holds parameters and optimizer, and no running statistics.
        buffers = torch.load(self._buffers(directory), map_location="cpu", weights_only=True)
        self.network.load_state_dict(buffers, strict=False)
        self._group.barrier()
        if self._group.rank == 0:
            shutil.rmtree(universal)

    def full_state(self) -> dict[str, Tensor]:
        """Return the network's whole state in memory of the CPU, gathered under ZeRO-3; on ALL ranks."""
        from deepspeed.runtime.zero import GatheredParameters

        with GatheredParameters(list(self.network.parameters()), enabled=self._config.zero_stage == 3):
            return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def _buffers(self, directory: Path) -> Path:
        return directory / self.name / "buffers.pt"

    def _load(self, directory: Path, universal: bool) -> None:
        # The engine reads this where it loads, and offers no other way than to build it anew.
        self._engine._config.load_universal_checkpoint = universal
        try:
            path, _ = self._engine.load_checkpoint(str(directory), tag=self.name)
        finally:
            self._engine._config.load_universal_checkpoint = False
        if path is None:
            raise InputError(f"{directory / self.name}: DeepSpeed found no checkpoint there", "remove that checkpoint")


def _import(device: torch.device) -> Any:
    if device.type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        # DeepSpeed prints; standard output is for results.
        with contextlib.redirect_stdout(sys.stderr):
            import deepspeed
    except ImportError as error:
        raise MissingExtraError("deepspeed", "deepspeed") from error
    return deepspeed


def _join(group: Group) -> None:
    """Make the process group of one that DeepSpeed needs, and tell it where this rank stands."""
    import torch.distributed as dist
    from deepspeed import comm
    from torch.distributed import HashStore  # type: ignore[attr-defined]  # torch does not list it in __all__

    environment = read_environment()
    os.environ.setdefault("LOCAL_RANK", str(environment.local_rank))
    os.environ.setdefault("LOCAL_SIZE", str(environment.local_size))
    if group.size == 1 and not dist.is_initialized():
        dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    if not comm.is_initialized():
        with contextlib.redirect_stdout(sys.stderr):
            comm.init_distributed(auto_mpi_discovery=False, dist_init_required=True)


def _settings(config: BackendConfig) -> dict[str, Any]:
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        # Unless told, DeepSpeed clips at 1.0.
        "gradient_clipping": config.clip_norm or 0.0,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {"stage": config.zero_stage},
        # No module is listed as safe for a lower precision: sums over ranks stay fp32.
        "torch_autocast": {
            "enabled": config.precision == "bf16",
            "dtype": "bfloat16",
            "lower_precision_safe_modules": [],
        },
    }


def _require_own(directory: Path) -> None:
    for path in (directory, *directory.iterdir()):
        found = path.stat()
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise InputError(
                f"{path}: belongs to another user, or others may write it, and reading it runs what it holds",
                "if you trust it, make it your own: chown and chmod go-w",
            )


def _convert(source: Path, target: Path) -> None:
    from deepspeed.checkpoint.ds_to_universal import main

    shutil.rmtree(target.parent, ignore_errors=True)
    target.mkdir(parents=True)
    words = argparse.Namespace(
        input_folder=str(source),
        output_folder=str(target),
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=True,
    )
    with contextlib.redirect_stdout(sys.stderr):
        main(words)
