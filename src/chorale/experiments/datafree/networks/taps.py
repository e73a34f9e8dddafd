"""Reading pre-activations from inside a network, whatever it is wrapped in."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from chorale.core.errors import InputError
from chorale.experiments.datafree.networks.shapes import ImageShape


class Tapped:
    """Keeps the outputs of some submodules during one forward pass: ``with Tapped(network, taps) as tapped: ...``.

    Gradients flow through what it keeps. The submodules are those of the bare network; the pass may go through a
    wrapper of it, such as an engine's ``module``. After the block nothing stays behind in the network.

    Args:
        network: The bare network.
        names: Of submodules, shallow to deep.

    Raises:
        InputError: There is no such submodule.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        self._taps = {name: _submodule(network, name) for name in names}
        self._kept: dict[str, tuple[Tensor, int]] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Tapped:
        self._handles = [module.register_forward_hook(partial(self._keep, name)) for name, module in self._taps.items()]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def outputs(self) -> list[Tensor]:
        """What each submodule returned, in the order of the names, each ``(batch, ...)``.

        Raises:
            ValueError: There was no forward pass through one of them.
            InputError: A later layer has overwritten one.
        """
        missing = self._taps.keys() - self._kept.keys()
        if missing:
            raise ValueError(f"no forward pass went through {', '.join(sorted(missing))}")
        for name, (output, version) in self._kept.items():
            # A ReLU in place would make activations of the pre-activations, and nothing else would tell.
            if not output.is_inference() and output._version != version:
                raise InputError(
                    f"tap {name!r}: a later layer overwrites its output", "give that layer (a ReLU?) inplace=False"
                )
        return [self._kept[name][0] for name in self._taps]

    def _keep(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if name in self._kept:
            raise ValueError(f"{name} was computed twice: each forward pass needs a Tapped of its own")
        if not isinstance(output, Tensor):
            raise InputError(
                f"tap {name!r}: its output is no tensor but {type(output).__name__}",
                "name a submodule that returns one",
            )
        self._kept[name] = (output, 0 if output.is_inference() else output._version)


def taps_of(network: nn.Module, configured: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of a network's taps, shallow to deep; none if nobody names any.

    Args:
        network: Whose attribute ``taps`` counts where nothing is configured.
        configured: Names of submodules whose output is a pre-activation.

    Raises:
        InputError: A name is no submodule.
    """
    names = tuple(configured) or tuple(getattr(network, "taps", ()))
    for name in names:
        _submodule(network, name)
    return names


def require_taps(taps: Sequence[str], whose: str, key: str) -> None:
    """Check that there are taps.

    Args:
        taps: From :func:`taps_of`.
        whose: Whose they are, for the error: ``"the student mine:network"``.
        key: The configuration's key that could name them.

    Raises:
        InputError: There are none.
    """
    if not taps:
        raise InputError(
            f"{whose} has no taps, which a loss on activations reads",
            f"name submodules whose output is a pre-activation, shallow to deep, in {key} or in its attribute taps",
        )


@torch.no_grad()
def tap_shapes(network: nn.Module, names: Sequence[str], shape: ImageShape) -> list[torch.Size]:
    """Return the shape of each tap's output for one image, such as ``(channels, height, width)``.

    Args:
        network: Left as it was.
        names: Of its taps.
        shape: Of an image.
    """
    modes = [(module, module.training) for module in network.modules()]
    first = next(network.parameters(), None)
    with Tapped(network, names) as tapped:
        network.eval()(torch.zeros(1, *shape, device=None if first is None else first.device))
    for module, training in modes:
        module.training = training
    return [output.shape[1:] for output in tapped.outputs]


def require_same_places(students: Sequence[torch.Size], teachers: Sequence[torch.Size]) -> None:
    """Check that taps of student and teacher correspond: as many, and each pair of one height and width.

    Args:
        students: From :func:`tap_shapes`.
        teachers: Likewise.

    Raises:
        InputError: They do not.
    """
    if len(students) != len(teachers):
        raise InputError(
            f"the student has {len(students)} taps, the teacher {len(teachers)}", "name as many taps for both"
        )
    for index, (student, teacher) in enumerate(zip(students, teachers, strict=True)):
        if student[1:] != teacher[1:]:
            raise InputError(
                f"tap {index} of the student is {tuple(student)}, the teacher's {tuple(teacher)}: other places",
                "name taps of the same height and width",
            )


def _submodule(network: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if name and name in modules:
        return modules[name]
    near = difflib.get_close_matches(name, modules, n=1)
    remedy = f"did you mean {near[0]}?" if near else "name one that named_modules() lists"
    raise InputError(f"tap {name!r}: {type(network).__name__} has no such submodule", remedy)
