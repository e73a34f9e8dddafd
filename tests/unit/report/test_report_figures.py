import re
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist
from xml.etree import ElementTree

import numpy as np
import pytest

from chorale.report.axes import number_text, percent_text
from chorale.report.cells import csv_text, show_column
from chorale.report.figures import draw_svg, write_png
from chorale.report.inline_svg import inline_svg
from chorale.report.palette import NAMED
from chorale.report.thinning import thin
from chorale.runs.parts import Plot, Series

pytestmark = pytest.mark.unit


def marks(svg: str) -> list[tuple[float, float]]:
    """Where the loose points of the first series stand, in points from the upper left corner."""
    start = svg.index('<g id="points-0"')
    section = svg[start : svg.index('<g id="', start + 1)]
    found = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', section)
    return [(float(x), float(y)) for x, y in found]


def test_a_probit_axis_spaces_probabilities_as_their_normal_deviates() -> None:
    chances = [0.01, 0.05, 0.2, 0.5, 0.9]
    svg = draw_svg(Plot("DET", "a", "b", [Series("s", chances, chances, "points")], "", "probit", "probit"), "k")

    places = np.array(marks(svg))
    deviates = np.array([NormalDist().inv_cdf(chance) for chance in chances])

    for side, direction in ((0, 1), (1, -1)):
        moved = direction * (places[:, side] - places[0, side])
        expected = (deviates - deviates[0]) / (deviates[-1] - deviates[0])
        assert moved / moved[-1] == pytest.approx(expected, abs=1e-4)


def test_values_that_a_scale_cannot_show_are_left_out_with_their_labels() -> None:
    series = Series("s", [1, 10, 100, 1000], [0.1, 0.0, float("nan"), 0.2], "points", list("abcd"))
    plot = Plot("Losses", "step", "loss", [series], x_scale="log", y_scale="log")

    assert re.findall(r"<title>(\w) ", inline_svg(plot, "k")) == ["a", "d"]


def test_a_figure_in_the_page_holds_no_colour_of_its_own() -> None:
    plot = Plot("P", "x", "y", [Series("one", [0, 1], [0, 1]), Series("two", [0, 1], [1, 0], "points", ["a", "b"])])

    svg = inline_svg(plot, "k")

    assert not any(colour in svg for colour in (NAMED.ink, NAMED.faint, NAMED.grid, *NAMED.series))
    assert {"var(--ink)", "var(--faint)", "var(--grid)", "var(--series-0)", "var(--series-1)"} <= set(
        re.findall(r"var\(--[\w-]+\)", svg)
    )
    ElementTree.fromstring(svg)


def test_labels_with_markup_stay_text() -> None:
    plot = Plot("<b>", "x & $x$", "</svg>", [Series("<i>", [1.0], [2.0], "points", ["<script>"])])

    tree = ElementTree.fromstring(inline_svg(plot, "k"))

    texts = {"".join(element.itertext()) for element in tree.iter() if element.tag.endswith(("text", "title"))}
    assert {"x & $x$", "</svg>", "<script> (1, 2)"} <= texts


@pytest.mark.parametrize(
    "series",
    [[], [Series("empty", [], [])], [Series("gap", [0.0], [float("nan")])], [Series("one", [3.0], [3.0], "steps")]],
)
@pytest.mark.parametrize("scale", ["linear", "log", "probit"])
def test_a_plot_with_next_to_nothing_in_it_can_be_drawn(series: list[Series], scale: str) -> None:
    ElementTree.fromstring(inline_svg(Plot("P", "x", "y", series, "", scale, scale), "k"))  # type: ignore[arg-type]


def test_a_png_is_large_enough_for_a_readme(tmp_path: Path) -> None:
    from matplotlib.image import imread

    write_png(Plot("P", "x", "y", [Series("s", [0, 1], [0, 1])]), tmp_path / "p.png")

    height, width, _ = imread(tmp_path / "p.png").shape
    assert (width, height) == (1520, 780)


def test_thinning_keeps_the_ends_and_every_extreme_a_reader_could_see() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    values[40_123], values[70_321], values[5] = 99.0, -99.0, np.nan

    kept = thin(values.tolist(), 2000)

    assert len(kept) <= 2000
    assert {0, 40_123, 70_321, 99_999} <= set(kept)
    assert kept == sorted(kept)


def test_a_short_series_is_not_thinned() -> None:
    assert thin([3.0, 1.0, 2.0], 2000) == [0, 1, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (0, "0"), (250, "250"), (12_500_000, "12.5 M"), (-2e9, "-2 G"), (3e-5, "3e-05")],
)
def test_ticks_read_like_numbers_people_write(value: float, text: str) -> None:
    assert number_text(value) == text


def test_probabilities_on_a_probit_axis_read_as_per_cent() -> None:
    assert [percent_text(value) for value in (0.001, 0.02, 0.5)] == ["0.1 %", "2 %", "50 %"]


def test_a_column_shows_as_many_decimals_in_each_row_and_sorts_by_the_exact_number() -> None:
    cells = show_column([0.08123456, 0.1, None, float("nan"), float("inf"), 12, "n/a"])

    assert [cell.text for cell in cells] == ["0.08123", "0.10000", "", "NaN", "∞", "12", "n/a"]
    assert [cell.key for cell in cells] == ["0.08123456", "0.1", "", "", "inf", "12", "n/a"]


def test_csv_is_exact_and_quotes_what_it_must() -> None:
    assert csv_text(("a", "b, c"), [(0.1 + 0.2, None), ('say "x"', 3)]) == (
        'a,"b, c"\n0.30000000000000004,\n"say ""x""",3\n'
    )


def test_drawing_leaves_matplotlib_s_global_figures_alone() -> None:
    code = (
        "import sys; from chorale.report.inline_svg import inline_svg; from chorale.runs.parts import Plot, Series;"
        "inline_svg(Plot('P', 'x', 'y', [Series('s', [0, 1], [0, 1])]), 'k'); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
