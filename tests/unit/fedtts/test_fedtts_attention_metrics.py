import numpy as np
import pytest

from chorale.experiments.fedtts.metrics.attention import best_head, focus_rate, reading

pytestmark = pytest.mark.unit


def walk(peaks: list[int], symbols: int, sharpness: float = 1.0) -> np.ndarray:
    """Attention whose largest weight at each step is on the symbol given, the rest spread evenly."""
    attention = np.full((len(peaks), symbols), (1 - sharpness) / (symbols - 1))
    attention[np.arange(len(peaks)), peaks] = sharpness
    return attention


def test_the_focus_rate_is_the_mean_of_the_largest_weights():
    assert focus_rate(np.array([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2]])) == pytest.approx(0.6)
    assert focus_rate(np.full((7, 4), 0.25)) == 0.25


def test_a_walk_from_first_to_last_symbol_reads_forward_without_repeats_and_skips():
    result = reading(walk([0, 0, 1, 2, 2, 3, 4], 5, 0.8))
    assert result == pytest.approx((0.8, 1.0, 0.0, 0.0, 1.0))
    assert result.score == pytest.approx(0.8)


def test_moves_back_are_repeats_and_jumps_are_skips():
    # Moves: +1, -1, +1, +5, +1, 0: one back, one too far, of six.
    result = reading(walk([0, 1, 0, 1, 6, 7, 7], 10), max_skip=3)
    assert result.repeats == pytest.approx(1 / 6)
    assert result.skips == pytest.approx(1 / 6)
    assert result.forward == pytest.approx(4 / 6)
    assert result.span == pytest.approx(0.8)


@pytest.mark.parametrize(("max_skip", "skips"), [(1, 1.0), (2, 0.0)])
def test_how_far_a_step_may_go_is_a_setting(max_skip, skips):
    assert reading(walk([0, 2, 4, 6], 7), max_skip).skips == skips


def test_a_single_step_makes_no_move():
    assert reading(walk([2], 4)) == pytest.approx((1.0, 1.0, 0.0, 0.0, 0.25))


def test_the_best_head_reads_the_text_and_not_the_sharpest_stare():
    stare = walk([3] * 8, 8)
    scattered = walk([0, 7, 1, 6, 2, 5, 3, 4], 8, 0.9)
    reader = walk([0, 1, 2, 3, 4, 5, 6, 7], 8, 0.5)
    assert focus_rate(stare) > focus_rate(reader)
    assert best_head(np.array([[stare, scattered], [stare, reader]])) == (1, 1)
