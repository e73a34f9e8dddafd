"""What two ranks did with each backend: started once, looked at by many tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ranks import carry_out_on, need
from small_training import Scenario, carry_out

BACKENDS: dict[str, dict[str, Any]] = {
    "ddp": {"kind": "ddp"},
    **{f"zero-{stage}": {"kind": "deepspeed", "zero_stage": stage} for stage in range(4)},
    "horovod": {"kind": "horovod"},
}
LEFT_OUT = ("python", "numpy", "torch", "accumulators")
INTERRUPTIONS = (1, 4, 7)
STEPS = 8
Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One process with the global batch."""
    return carry_out(Scenario(str(tmp_path_factory.mktemp("alone")), engines=2))


@pytest.fixture(scope="session")
def on_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outcomes]:
    """How each scenario ended on two ranks, by backend and name of the scenario."""
    known: dict[str, Outcomes] = {}

    def outcomes(backend: str) -> Outcomes:
        need(backend)
        if backend not in known:
            folder = tmp_path_factory.mktemp(backend)
            scenarios = _scenarios(folder, BACKENDS[backend])
            results = carry_out_on(list(scenarios.values()), folder, size=2)
            known[backend] = dict(zip(scenarios, results, strict=True))
        return known[backend]

    return outcomes


def _scenarios(folder: Path, backend: dict[str, Any]) -> dict[str, Scenario]:
    def scenario(name: str, **changes: Any) -> Scenario:
        return Scenario(str(folder / name), steps=STEPS, backend=backend, **changes)

    # DeepSpeed takes long to make an engine; what is torch's or ours is left out once more with DDP alone.
    left_out = LEFT_OUT if backend["kind"] == "ddp" else ("torch",)
    return {
        "whole": scenario("whole", engines=2),
        "local": scenario("local", local=True),
        "half": scenario("half", engines=2, stops=(4,)),
        "undisturbed": scenario("undisturbed", own_draws=True),
        "interrupted": scenario("interrupted", own_draws=True, stops=(*INTERRUPTIONS, None)),
        **{
            f"without {name}": scenario(name, own_draws=True, stops=(5, None), checkpoint={"leave_out": name})
            for name in left_out
        },
    }
