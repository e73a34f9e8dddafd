import math
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorale.report.page import build_report
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Stage
from chorale.runs.directory import Run, open_or_create
from chorale.runs.items import Failure, claim
from chorale.runs.parts import Media, Part, Plot, Series, Table, Text
from chorale.runs.placement import Where

pytestmark = pytest.mark.browser


class GalleryConfig(ExperimentConfig):
    experiment: str = "gallery"
    population: int = 16


def look(context: Any, config: GalleryConfig) -> Outcome:
    return Outcome()


class Gallery(Experiment[GalleryConfig]):
    """Shows a part of every kind, shaped like a search."""

    name = "gallery"
    summary = "Shows a part of every kind."
    final_stage = "finalists"
    config_class = GalleryConfig

    def stages(self, config: GalleryConfig) -> Sequence[Stage]:
        return [
            Stage(name="features", function=look),
            Stage(name="generation-000", function=look, kind="array", items=(None,) * 16, tolerant=True),
            Stage(name="finalists", function=look, needs=("generation-000",)),
            Stage(name="report", function="chorale.report.stage:report_stage", needs=("finalists",)),
        ]

    def report(self, run: Run, config: GalleryConfig) -> Sequence[Part]:
        random = np.random.default_rng(0)
        eer = np.clip(0.3 * np.exp(-np.arange(64) / 40) + random.normal(0, 0.03, 64), 0.05, 0.5)
        macs = 10 ** random.uniform(6, 8.2, 64)
        names = [f"candidate {n}: 5 layers <{n}>" for n in range(64)]
        miss = np.linspace(0.002, 0.6, 400)
        table_rows: list[tuple[str | float | int | None, ...]] = [
            ("best found", 0.0812, 0.61, 412_345, 31_200_000, 81.2),
            ("x-vector seed", 0.1034, 0.72, 1_912_345, 98_000_000, 140.0),
            ("random median", 0.1420, 0.83, 700_200, 47_000_000, None),
            ("collapsed", math.nan, 1.0, 9, 1, 0.00001),
        ]
        sound, picture = run.artifacts / "tone.wav", run.artifacts / "bars.png"
        write_tone(sound)
        write_bars(picture)
        return [
            Text("", "The search found a network with EER 0.0812 against 0.1034 of the x-vector it began with."),
            Table(
                "Result",
                ("network", "EER", "minDCF (p = 0.01)", "parameters", "MACs (200 frames)", "seconds"),
                table_rows,
                note="On 12 held-out speakers.",
                highlight=(0,),
            ),
            Text("How sure", "12 speakers only: the EER's own standard deviation is about 0.02.", role="caution"),
            Plot(
                "The search",
                "candidates evaluated",
                "EER on held-out speakers",
                [
                    Series("candidate", list(range(1, 65)), eer.tolist(), "points", names),
                    Series("best so far", list(range(1, 65)), np.minimum.accumulate(eer).tolist(), "steps"),
                ],
                note="Each point is one network.",
            ),
            Plot(
                "EER against MACs",
                "multiply-adds for 200 frames",
                "EER",
                [
                    Series("candidate", macs.tolist(), eer.tolist(), "points", names),
                    Series("x-vector", [9.8e7], [0.1034], "points", ["x-vector"]),
                ],
                x_scale="log",
                y_scale="log",
            ),
            Plot(
                "DET curve",
                "false acceptances",
                "misses",
                [
                    Series("best found", miss.tolist(), (0.006 / miss).clip(0, 1).tolist()),
                    Series("x-vector seed", miss.tolist(), (0.012 / miss).clip(0, 1).tolist()),
                    Series("random median", miss.tolist(), (0.03 / miss).clip(0, 1).tolist()),
                ],
                x_scale="probit",
                y_scale="probit",
            ),
            Media("To look at", "image", [(picture, "Bars"), (picture, "The same bars")]),
            Media("To listen to", "audio", [(sound, "A tone of 440 Hz")]),
        ]


def write_tone(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())


def write_bars(path: Path) -> None:
    from matplotlib.image import imsave

    imsave(path, np.tile(np.linspace(0, 1, 8), (90, 20)), cmap="viridis")


def finish_all(run: Run) -> None:
    for stage in run.stages().values():
        for index in range(len(stage.items)):
            claimed = claim(run.stage_directory(stage.name), index)
            assert claimed is not None
            if stage.name == "generation-000" and index in (3, 11):
                claimed.fail(Failure.OUT_OF_MEMORY, f"candidate {index} wanted <b>12 GiB</b> & got 4")
            elif stage.name != "report":
                claimed.finish(None)


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GalleryConfig(where=Where(runs=tmp_path_factory.mktemp("runs")))
    run = open_or_create(config, "tiny")
    run.__dict__["experiment"] = Gallery()
    run.declare(run.experiment.stages(config))
    finish_all(run)
    return build_report(run)


def open_page(browser: Any, path: Path, width: int = 1200, scheme: str = "light") -> tuple[Any, list[str], list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    return page, complaints, requests


def column(page: Any, section: str, number: int) -> list[str]:
    cells: list[str] = page.locator(f"#{section} tbody tr td:nth-child({number})").all_inner_texts()
    return cells


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("light", 1200, "light"), ("dark", 1200, "dark"), ("narrow", 390, "light"), ("narrow-dark", 390, "dark")],
)
def test_the_page_opens_without_complaint_network_or_sideways_scrolling(
    browser: Any, page_path: Path, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    page, complaints, requests = open_page(browser, page_path, width, scheme)

    page.screenshot(path=str(tmp_path / f"{name}.png"), full_page=True)

    assert complaints == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (tmp_path / f"{name}.png").stat().st_size > 50_000


def test_a_header_sorts_its_column_both_ways_and_leaves_empty_cells_last(browser: Any, page_path: Path) -> None:
    page, _, _ = open_page(browser, page_path)
    eer = page.get_by_role("button", name="EER")

    eer.click()
    assert column(page, "result", 1) == ["best found", "x-vector seed", "random median", "collapsed"]
    eer.click()
    assert column(page, "result", 1) == ["random median", "x-vector seed", "best found", "collapsed"]
    assert page.locator("#result th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_a_table_can_be_sorted_with_the_keyboard_alone(browser: Any, page_path: Path) -> None:
    page, _, _ = open_page(browser, page_path)

    page.get_by_role("button", name="parameters").focus()
    page.keyboard.press("Enter")

    assert column(page, "result", 4) == ["9", "412,345", "700,200", "1,912,345"]


def test_the_first_screen_says_what_ran_how_it_ended_and_what_is_best(browser: Any, page_path: Path) -> None:
    page, _, _ = open_page(browser, page_path)

    for text in ("tiny-", "done", "2 failed items", "found a network with EER 0.0812"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None and box["y"] + box["height"] < 800


def test_a_message_with_markup_is_shown_as_it_was_written(browser: Any, page_path: Path) -> None:
    page, _, _ = open_page(browser, page_path)

    assert "candidate 3 wanted <b>12 GiB</b> & got 4" in column(page, "failures", 7)


def test_figures_take_the_colours_of_the_theme(browser: Any, page_path: Path) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page, _, _ = open_page(browser, page_path, scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.querySelector('#det-curve .wide svg text')).fill"))

    assert len(colours) == 2


def test_each_point_says_what_it_is(browser: Any, page_path: Path) -> None:
    page, _, _ = open_page(browser, page_path)

    titles = page.locator("#the-search .wide use title").all_text_contents()

    assert len(titles) == 64
    assert titles[0].startswith("candidate 0: 5 layers <0> (1, ")
