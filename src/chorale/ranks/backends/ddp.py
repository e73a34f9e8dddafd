"""torch's DistributedDataParallel, made to sum gradients over ranks instead of averaging them."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from chorale.ranks.backends.single import SingleEngine


class DdpEngine(SingleEngine):
    """See :func:`~chorale.ranks.backends.base.make_engine` for the arguments."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        own_gpu = [self._device.index or 0] if self._device.type == "cuda" else None
        # Buffers are equal already where batch statistics are global; broadcasting them would cost a collective.
        with warnings.catch_warnings():
            # torch 2.13 has a new name for ``broadcast_buffers``, which 2.11 does not know.
            warnings.simplefilter("ignore", FutureWarning)
            parallel = DistributedDataParallel(self.network, device_ids=own_gpu, broadcast_buffers=False)
        _keep_layout(parallel)
        # torch reads a hook's annotations and stumbles over those of this module, which are strings.
        parallel.register_comm_hook(None, lambda state, bucket: _sum_over_ranks(bucket))
        self.module = parallel


def _keep_layout(parallel: DistributedDataParallel) -> None:
    """Settle now where each gradient lies in its message.

    DDP would settle it after its first step, by the order in which gradients came. A training that goes on from a
    checkpoint would then do its first step in another layout than one that was never interrupted; and from three ranks
    on, in which order ranks are added depends on the place in the message, so that the last bits would differ.
    """
    parallel.reducer._push_all_rebuilt_params()
    parallel.reducer._rebuild_buckets()


def _sum_over_ranks(bucket: Any) -> torch.futures.Future[Tensor]:
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    if work is None:
        raise RuntimeError("this process is not in the group")
    future: torch.futures.Future[list[Tensor]] = work.get_future()
    return future.then(lambda done: done.value()[0])
