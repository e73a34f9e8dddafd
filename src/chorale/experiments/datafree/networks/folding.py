"""A frozen network without its batch normalisations: each becomes part of the convolution before it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from chorale.core.logs import get_logger

_log = get_logger(__name__)


def folded(network: nn.Module, keep: Sequence[str] = ()) -> nn.Module:
    """Return a copy that computes the same, but for rounding, with fewer passes over memory.

    In evaluation batch normalisation is an affine map per channel, which the weights of the convolution before it can
    carry (torch's ``fuse_conv_bn_eval``). In its place stands an identity, so that names and hooks stay as they are.

    Args:
        network: Evaluating, and never trained again; one whose steps cannot be traced is returned as it is.
        keep: Names of submodules that somebody reads: of a convolution the output would be another one.
    """
    try:
        graph = _Tracer().trace(network)
    except Exception as error:  # Whatever a user's own forward pass does with what it is given.
        _log.debug("batch normalisations stay where they are, for the network cannot be traced: %s", error)
        return network
    copied = copy.deepcopy(network)
    for convolution, norm in list(_pairs(copied, graph, keep)):
        fused = fuse_conv_bn_eval(*_modules(copied, convolution, norm))
        copied.set_submodule(convolution, fused.requires_grad_(False))
        copied.set_submodule(norm, nn.Identity())
    return copied


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Enter no convolution and no normalisation, whoever wrote its class."""
        return isinstance(m, nn.Conv2d | nn.BatchNorm2d) or super().is_leaf_module(m, module_qualified_name)


def _modules(network: nn.Module, convolution: str, norm: str) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    first, second = network.get_submodule(convolution), network.get_submodule(norm)
    assert isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d)
    return first, second


def _pairs(network: nn.Module, graph: fx.Graph, keep: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield names of a convolution and the batch normalisation that alone reads it, each of which runs once."""
    modules: dict[str, Any] = dict(network.named_modules())
    # One module under two names would be two in the graph.
    runs = Counter(id(modules[node.target]) for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm2d):
            continue
        (before,) = node.all_input_nodes
        if before.op != "call_module" or not isinstance(modules[before.target], nn.Conv2d) or len(before.users) > 1:
            continue
        alone = runs[id(modules[node.target])] == runs[id(modules[before.target])] == 1
        if alone and before.target not in keep and modules[node.target].running_mean is not None:
            yield before.target, node.target
