import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.report.figures import MAX_BARS, draw_svg
from chorale.report.inline_svg import inline_svg
from chorale.report.palette import NAMED
from chorale.report.shown import show_part
from chorale.runs.parts import Plot, Series

pytestmark = pytest.mark.unit

NAN = float("nan")


def stack(*columns: list[float], x: list[float] | None = None) -> Plot:
    places = x or [float(n) for n in range(1, len(columns[0]) + 1)]
    return Plot("P", "x", "y", [Series(f"s{n}", places, column, "stacked") for n, column in enumerate(columns)])


def outline(svg: str, number: int) -> np.ndarray:
    """The corners of a series' bars, (corners, 2), in points from the upper left corner."""
    match = re.search(rf'<path id="\w+" d="([^"]+)"/>\s*</defs>\s*<g [^>]*>\s*<use [^>]*{NAMED.series[number]}', svg)
    assert match is not None
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", match.group(1))])


def bars(svg: str, number: int, count: int) -> np.ndarray:
    """Where each of a series' bars begins and ends, (bars, 2), upwards."""
    corners = outline(svg, number)
    left, right = corners[:, 0].min(), corners[:, 0].max()
    found = []
    for middle in left + (np.arange(count) + 0.5) * (right - left) / count:
        level = [
            a[1] for a, b in zip(corners, np.roll(corners, -1, 0), strict=True) if (a[0] < middle) != (b[0] < middle)
        ]
        found.append(sorted(-y for y in level))
    return np.array(found)


def test_bars_stand_on_one_another_and_on_nothing() -> None:
    lower, upper = [1.0, 2.0, 4.0], [3.0, 0.5, 1.0]
    svg = draw_svg(stack(lower, upper), "k")

    first, second = bars(svg, 0, 3), bars(svg, 1, 3)

    unit = first[0, 1] - first[0, 0]
    assert np.diff(first)[:, 0] / unit == pytest.approx(lower, abs=1e-4)
    assert np.diff(second)[:, 0] / unit == pytest.approx(upper, abs=1e-4)
    assert second[:, 0] == pytest.approx(first[:, 1], abs=1e-4)
    assert np.ptp(first[:, 0]) == 0


def test_a_gap_has_no_height_and_those_above_it_stay() -> None:
    svg = draw_svg(stack([1.0, NAN, 1.0], [2.0, 2.0, NAN]), "k")

    first, second = bars(svg, 0, 3), bars(svg, 1, 3)

    assert first[1, 0] == first[1, 1] == second[1, 0]
    assert second[2, 0] == second[2, 1]
    assert np.diff(second)[1] == pytest.approx(2 * np.diff(first)[0], abs=1e-4)


def test_the_axis_of_a_stack_begins_with_nothing() -> None:
    texts = re.findall(r">([\d.]+)</text>", draw_svg(stack([100.0, 101.0, 102.0]), "k"))

    assert "0" in texts


def test_long_stacks_are_thinned_at_the_same_places_and_keep_their_highest_bar() -> None:
    draws = np.random.default_rng(0)
    lower, upper = draws.random(5000), draws.random(5000)
    upper[1234] = 50.0
    svg = draw_svg(stack(lower.tolist(), upper.tolist()), "k")

    first, second = outline(svg, 0), outline(svg, 1)

    assert set(first[:, 0]) == set(second[:, 0])
    assert len(set(first[:, 0])) <= MAX_BARS + 1
    assert np.ptp(second[:, 1]) > 20 * np.ptp(first[:, 1])


def test_one_bar_has_a_width() -> None:
    corners = outline(draw_svg(stack([2.0], x=[7.0]), "k"), 0)

    assert np.ptp(corners[:, 0]) > 100


@pytest.mark.parametrize("columns", [([],), ([], []), ([NAN],), ([0.0, 0.0],)])
def test_a_stack_with_next_to_nothing_in_it_can_be_drawn(columns: tuple[list[float], ...]) -> None:
    ElementTree.fromstring(inline_svg(stack(*columns), "k"))


@pytest.mark.parametrize(("one", "other"), [([1, 2], [1, 3]), ([1, 2], [1]), ([2, 1], [2, 1]), ([1, 1], [1, 1])])
def test_stacked_series_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, one: list[float], other: list[float]
) -> None:
    series = [Series("a", one, [1.0] * len(one), "stacked"), Series("b", other, [1.0] * len(other), "stacked")]

    with pytest.raises(WorkError, match=r"of stacked series '[ab]' is not the others', or not rising"):
        show_part(Plot("Bytes", "round", "bytes", series), "bytes", tmp_path)


def test_an_axis_of_a_few_whole_numbers_has_no_halves() -> None:
    svg = draw_svg(Plot("Depth", "round", "layers", [Series("s", [1, 2, 3], [1, 1, 2], "steps")]), "k")

    texts = re.findall(r">([\d.]+)</text>", svg)
    assert {"1", "2", "3"} <= set(texts)
    assert not [text for text in texts if "." in text]
