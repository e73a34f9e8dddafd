"""Losses that are of the whole batch at once are the same, and have the same gradients, however it is split."""

from pathlib import Path

import datafree_losses
import numpy as np
import pytest
from ranks import results_of, start_program

pytestmark = pytest.mark.distributed
PROGRAM = Path(datafree_losses.__file__)
NAMES = ("log-l1", "information-entropy", "batch-statistics")


@pytest.fixture(scope="module")
def alone():
    return datafree_losses.alone()


@pytest.fixture(scope="module")
def on_two_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses")
    return dict(
        zip(("global", "local"), results_of(start_program(PROGRAM, [False, True], folder, 2), folder), strict=True)
    )


def largest_difference(ours, theirs):
    """Relative to the largest value."""
    return np.abs(np.subtract(ours, theirs)).max() / np.abs(theirs).max()


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_have_the_loss_and_the_gradients_of_one_process(name, on_two_ranks, alone):
    found, expected = on_two_ranks["global"][name], alone[name]
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert largest_difference(found["gradient"], expected["gradient"]) < 1e-5


@pytest.mark.parametrize("name", ["log-l1", "information-entropy"])
def test_a_slice_taken_for_the_batch_gives_another_loss_and_other_gradients(name, on_two_ranks, alone):
    found, expected = on_two_ranks["local"][name], alone[name]
    assert abs(found["loss"] / expected["loss"] - 1) > 1e-4
    assert largest_difference(found["gradient"], expected["gradient"]) > 1e-3
