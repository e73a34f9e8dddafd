"""Statistics of images over ranks: with every backend, two and three ranks compute what one process does."""

from __future__ import annotations

from typing import Any

import pytest
from ranks import carry_out_on, need
from small_training import Scenario, carry_out
from test_backends import AFTER_ALL_STEPS, EXACT, relative

pytestmark = pytest.mark.distributed

BACKENDS = {
    "ddp": {"kind": "ddp"},
    "zero-2": {"kind": "deepspeed", "zero_stage": 2},
    "horovod": {"kind": "horovod"},
}
SIZES = (2, 3)
STEPS = 20
INTERRUPTIONS = (1, 4, 11)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One process with the global batch, by torch's own normalisation."""
    return carry_out(Scenario(str(tmp_path_factory.mktemp("alone")), steps=STEPS, log_every=1, images=True))


@pytest.fixture(scope="module", params=[(backend, size) for backend in BACKENDS for size in SIZES], ids=str)
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How each scenario ended on several ranks."""
    backend, size = request.param
    need(backend)
    folder = tmp_path_factory.mktemp(f"{backend}-{size}")

    def scenario(name: str, **changes: Any) -> Scenario:
        return Scenario(str(folder / name), steps=STEPS, log_every=1, images=True, backend=BACKENDS[backend], **changes)

    scenarios = {
        "whole": scenario("whole"),
        "local": scenario("local", local=True),
        "undisturbed": scenario("undisturbed", own_draws=True),
        "interrupted": scenario("interrupted", own_draws=True, stops=(*INTERRUPTIONS, None)),
    }
    results = carry_out_on(list(scenarios.values()), folder, size)
    return dict(zip(scenarios, results, strict=True))


def losses(outcome: dict[str, Any]) -> list[float]:
    return [value for _, name, value in outcome["metrics"] if name == "loss0"]


def test_ranks_have_the_first_gradients_and_all_losses_of_one_process(together, alone):
    assert relative(together["whole"]["gradients"], alone["gradients"]) < EXACT
    assert len(losses(alone)) == STEPS
    assert losses(alone)[-1] < 0.8 * losses(alone)[0], "it learns, so that there is something to compare"
    assert losses(together["whole"]) == pytest.approx(losses(alone), abs=AFTER_ALL_STEPS)


def test_a_denominator_of_the_slice_instead_of_the_batch_tells_itself(together, alone):
    assert relative(together["local"]["gradients"], alone["gradients"]) > 1000 * EXACT
    assert losses(together["local"]) != pytest.approx(losses(alone), abs=100 * AFTER_ALL_STEPS)


def test_interrupted_again_and_again_ranks_end_with_the_same_bits(together):
    interrupted, undisturbed = together["interrupted"], together["undisturbed"]
    assert interrupted["first_steps"] == [0, *INTERRUPTIONS]
    assert interrupted["hashes"] == undisturbed["hashes"]
    assert interrupted["metrics"] == undisturbed["metrics"]
