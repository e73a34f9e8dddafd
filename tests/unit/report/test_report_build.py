import csv
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chorale.core.errors import WorkError
from chorale.report.overview import describe
from chorale.report.page import build_report
from chorale.report.shown import MAX_ROWS, Slugs
from chorale.report.stage import report_stage
from chorale.runs.context import Context
from chorale.runs.contract import Experiment, ExperimentConfig, Outcome, Stage
from chorale.runs.directory import Run, open_or_create
from chorale.runs.events import EventWriter
from chorale.runs.items import Claim, Failure, State, claim, reopen
from chorale.runs.parts import Media, Part, Plot, Series, Table, Text
from chorale.runs.placement import Where

pytestmark = pytest.mark.unit


class EchoConfig(ExperimentConfig):
    experiment: str = "echo"
    motto: str = "<plain & simple>"


def repeat(context: Any, config: EchoConfig) -> Outcome:
    return Outcome()


class Echo(Experiment[EchoConfig]):
    name = "echo"
    summary = "Shows the parts that it is given."
    final_stage = "last"
    config_class = EchoConfig

    def __init__(self, parts: Callable[[], Sequence[Part]] = list) -> None:
        self.parts = parts

    def stages(self, config: EchoConfig) -> Sequence[Stage]:
        return [
            Stage(name="many", function=repeat, kind="array", items=(1, 2, 3), tolerant=True),
            Stage(name="last", function=repeat, needs=("many",)),
            Stage(name="report", function=report_stage, needs=("last",)),
        ]

    def report(self, run: Run, config: EchoConfig) -> Sequence[Part]:
        return self.parts()


def make_run(root: Path, parts: Callable[[], Sequence[Part]] = list) -> Run:
    run = open_or_create(EchoConfig(where=Where(runs=root)), "first")
    run.__dict__["experiment"] = Echo(parts)
    run.declare(run.experiment.stages(run.config))
    return run


def begin(run: Run, stage: str, index: int = 0) -> Claim:
    claimed = claim(run.stage_directory(stage), index)
    assert claimed is not None
    return claimed


def finish(run: Run, stage: str, *indices: int) -> None:
    for index in indices:
        begin(run, stage, index).finish(None)


class Page(HTMLParser):
    """What a page says: ids, addresses, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            elif name in ("href", "src"):
                self.addresses.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += data + " "


def page_of(run: Run) -> Page:
    return Page(build_report(run).read_text())


def test_a_run_that_nobody_has_begun_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    page = page_of(run)

    assert run.report_page.is_file()
    assert "pending" in page.words


def test_the_page_s_own_stage_does_not_make_the_run_running(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    finish(run, "many", 0, 1, 2)
    finish(run, "last", 0)
    begin(run, "report")

    assert describe(run).state == "done"
    assert [row[0] for row in describe(run).stages.rows] == ["many", "last"]


def test_a_failed_item_of_a_tolerant_stage_is_told_and_does_not_fail_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    finish(run, "many", 0, 2)
    begin(run, "many", 1).fail(Failure.OUT_OF_MEMORY, "wanted <b>12 GiB</b>")
    finish(run, "last", 0)

    overview = describe(run)
    page = page_of(run)

    assert overview.state == "done"
    assert overview.failures is not None
    assert [row[:4] for row in overview.failures.rows] == [("many", 1, 1, "out-of-memory")]
    assert "wanted <b>12 GiB</b>" in page.words
    assert "1 failed item: why" in page.words


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_bad_item_of_another_stage_decides_how_the_run_ended(tmp_path: Path, state: State) -> None:
    run = make_run(tmp_path)
    finish(run, "many", 0, 1, 2)
    begin(run, "last").fail(Failure.ERROR, "no", state)

    assert describe(run).state == state.value


def test_a_live_item_is_running_and_a_run_between_two_items_is_unfinished(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    finish(run, "many", 0)
    assert describe(run).state == "unfinished"

    begin(run, "many", 1)
    assert describe(run).state == "running"


def test_a_stage_s_row_counts_items_and_those_that_were_retried(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = begin(run, "many", 0)
    first.fail(Failure.ERROR, "no")
    reopen(run.stage_directory("many"), first.record)
    finish(run, "many", 0)
    begin(run, "many", 1).fail(Failure.ERROR, "no")

    (many, _) = describe(run).stages.rows

    assert many[:6] == ("many", 3, 1, 1, 1, 1)


def test_configuration_and_titles_are_escaped(tmp_path: Path) -> None:
    run = make_run(tmp_path, lambda: [Text("<script>alert(1)</script>", "a < b")])

    html = build_report(run).read_text()

    assert "<script>alert" not in html
    assert "<plain & simple>" in Page(html).words


def test_the_page_needs_no_network_and_its_ids_are_its_own(tmp_path: Path) -> None:
    plot = Plot("P", "x", "y", [Series("s", [1, 2], [3, 4], "points", ["a", "b"]), Series("t", [1, 2], [3, 4])])
    run = make_run(tmp_path, lambda: [plot, plot])

    page = page_of(run)

    assert all(not re.match(r"(https?:)?//", address) for address in page.addresses)
    assert len(page.ids) == len(set(page.ids))
    assert all((run.report_page.parent / address).is_file() for address in page.addresses if address[0] not in "#d")


def test_figures_and_tables_lie_beside_the_page_complete_and_exact(tmp_path: Path) -> None:
    count = 5000
    plot = Plot("Loss Curve", "step", "loss", [Series("s", list(range(count)), [1 / 3] * count)])
    table = Table("All rows", ("n", "third"), [(n, n / 3) for n in range(MAX_ROWS + 5)])
    run = make_run(tmp_path, lambda: [plot, table])

    page = page_of(run)
    folder = run.report_page.parent

    assert (folder / "loss-curve.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.reader((folder / "loss-curve.csv").read_text().splitlines()))) == count + 1
    rows = list(csv.reader((folder / "all-rows.csv").read_text().splitlines()))
    assert float(rows[-1][1]) == (MAX_ROWS + 4) / 3
    assert f"The first {MAX_ROWS:,} of {MAX_ROWS + 5:,} rows" in page.words
    assert list(folder.glob(".*")) == []


def test_media_are_copied_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "a b.wav").write_bytes(b"RIFF")
    run = make_run(tmp_path / "runs", lambda: [Media("Voices", "audio", [(tmp_path / "a b.wav", "Somebody")])])

    page = page_of(run)

    assert "voices-1.wav" in page.addresses
    assert (run.report_page.parent / "voices-1.wav").read_bytes() == b"RIFF"


def test_an_experiment_that_throws_costs_its_parts_but_not_the_page(tmp_path: Path) -> None:
    def parts() -> Sequence[Part]:
        raise KeyError("eer")

    run = make_run(tmp_path, parts)

    with pytest.raises(WorkError, match=r"index\.html: written, but 1 parts? .* KeyError: 'eer'"):
        build_report(run)
    assert "KeyError: 'eer'" in Page(run.report_page.read_text()).words


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Table("Bad", ("a", "b"), [(1,)]), "row 0 has 1 cells, not 2"),
        (Plot("Bad", "x", "y", [Series("s", [1, 2], [1])]), "series 's' differ in length"),
        (Media("Bad", "image", [(Path("/nowhere/x.png"), "x")]), "/nowhere/x.png: no such file"),
    ],
)
def test_a_part_that_contradicts_itself_is_named_and_the_others_are_shown(
    tmp_path: Path, part: Part, reason: str
) -> None:
    run = make_run(tmp_path, lambda: [part, Text("Good", "still here")])

    with pytest.raises(WorkError, match="Bad"):
        build_report(run)

    words = Page(run.report_page.read_text()).words
    assert reason in words
    assert "still here" in words


def test_titles_that_are_alike_get_files_of_their_own() -> None:
    slugs = Slugs()

    assert [slugs.take(title) for title in ("EER / %", "EER – %", "", "¿?")] == ["eer", "eer-2", "part", "part-2"]


def test_the_stage_tells_where_the_page_lies(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    stage = run.stages()["report"]
    context = Context(run, stage, 0, 1, EventWriter(tmp_path / "e.jsonl"), run.config.where)

    outcome = stage.load()(context, run.config)

    assert outcome == Outcome({"page": "report/index.html"})
    assert stage.function == "chorale.report.stage:report_stage"
