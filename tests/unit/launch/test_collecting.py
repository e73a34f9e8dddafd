"""Results as a table: one row an item, as they come; and trying again only what failed."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.launch.collecting import COLUMNS, as_csv, collect, columns_of, flatten, write_table
from chorale.launch.plan import overall, read_plan
from chorale.launch.retry import reopen_what_failed
from chorale.launch.worker import work
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import State, summarise

pytestmark = pytest.mark.unit

RunMaker = Callable[..., Run]


def test_a_result_is_flattened_by_its_keys() -> None:
    assert flatten({"a": {"b": 1, "c": None}, "d": [1, 2], "e": "x"}, "result") == {
        "result.a.b": 1,
        "result.d": "[1, 2]",
        "result.e": "x",
    }
    assert flatten(0.5, "result") == {"result": 0.5}
    assert flatten(None, "result") == {}


def test_there_is_one_row_for_each_item_with_how_it_ended(new_run: RunMaker) -> None:
    run = new_run(fail_at=2)
    work(run)
    rows = collect(read_plan(run), ["squares-0"])
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert [row.get("result") for row in rows] == [0, 1, None, 9]
    assert [row["state"] for row in rows] == ["done", "done", "failed", "done"]
    assert (rows[2]["failure"], rows[2]["message"]) == ("error", "ValueError: told to fail")
    assert all(row["attempts"] == 1 and isinstance(row["seconds"], float) for row in rows)


def test_a_run_that_has_not_ended_is_collected_too(new_run: RunMaker) -> None:
    rows = collect(read_plan(new_run(numbers=3)), ["squares-0"])
    assert [(row["item"], row["state"], row["seconds"]) for row in rows] == [(i, "pending", None) for i in range(3)]


def test_csv_has_every_column_once_and_reads_back(new_run: RunMaker) -> None:
    run = new_run()
    work(run)
    rows = collect(read_plan(run), read_plan(run))
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert columns_of(rows)[: len(COLUMNS)] == list(COLUMNS)
    assert list(read[0]) == columns_of(rows)
    assert [row["result.total"] for row in read if row["stage"] == "total"] == ["140"]
    assert [row["result"] for row in read if row["stage"] == "squares-1"] == ["16", "25", "36", "49"]


def test_parquet_keeps_numbers_as_numbers_and_a_mixture_as_text(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    rows = [
        {"stage": "a", "index": 0, "result": 1, "x": 1, "y": True},
        {"stage": "a", "index": 1, "result": 0.5, "x": "b"},
    ]
    write_table(path, rows)
    table = parquet.read_table(path)
    assert table.column("index").to_pylist() == [0, 1]
    assert table.column("result").to_pylist() == [1.0, 0.5]
    assert table.column("x").to_pylist() == ["1", "b"]
    assert table.column("y").to_pylist() == [True, None]
    assert str(table.schema.field("index").type) == "int64"


def test_without_pyarrow_parquet_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pyarrow is not installed; install it with: pip install 'chorale\[table\]'"):
        write_table(tmp_path / "table.parquet", [])
    with pytest.raises(InputError, match="not a kind of table"):
        write_table(tmp_path / "table.xlsx", [])
    assert not list(tmp_path.iterdir())


def test_retrying_opens_what_failed_in_tolerant_stages_too_and_names_what_is_outdated(new_run: RunMaker) -> None:
    run = new_run(fail_at=2, generations=1)
    work(run)
    reopened = reopen_what_failed(run)
    assert reopened.items == {"squares-0": 1}
    assert reopened.outdated == ("next-0", "total", "report")
    assert summarise(read_plan(run)["squares-0"].records) == {"done": 3, "pending": 1}
    work(run)
    assert [record.attempt for record in read_plan(run)["squares-0"].records] == [1, 1, 3, 1]
    assert {record.attempt for name in reopened.outdated for record in read_plan(run)[name].records} == {1}


def test_retrying_one_stage_opens_what_was_cancelled_for_want_of_it_and_no_other_failure(new_run: RunMaker) -> None:
    run = new_run(fail_at=2, intolerant=True, generations=1)
    run.declare([Stage(name="apart", function="counting:nowhere")])
    work(run)
    assert read_plan(run)["apart"].state is State.FAILED
    reopened = reopen_what_failed(run, "squares-0")
    assert reopened.items == {"squares-0": 1, "next-0": 1, "report": 1}
    plan = read_plan(run)
    assert (plan["apart"].state, plan["next-0"].state, overall(plan)) == (State.FAILED, State.PENDING, State.RUNNING)


def test_retrying_an_unknown_stage_lists_the_known_ones(new_run: RunMaker) -> None:
    with pytest.raises(InputError, match=r"no stage 'squares'; its stages are: prepare, .*squares-0"):
        reopen_what_failed(new_run(), "squares")


def test_the_verbs_try_failed_items_again_here_and_collect_them(tmp_path: Path) -> None:
    config = tmp_path / "nap.yaml"
    where = f"{{runs: {tmp_path / 'runs'}, cache: {tmp_path / 'cache'}, tracking: disabled, executor: in-process}}"
    config.write_text(f"experiment: sleep\nitems: 9\nseconds: 0\nfail_every: 4\nwhere: {where}\n")

    def chorale(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chorale", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    chorale("run", config)
    (run,) = (tmp_path / "runs" / "sleep").iterdir()
    done = chorale("retry", run, "--failed", "--json")
    assert json.loads(done.stdout)["items"] == {"naps": 2}
    assert "count is done and has not seen what is tried again" in done.stderr
    rows = json.loads(chorale("collect", run, "--stage", "naps", "--json").stdout)
    assert [row["attempts"] for row in rows] == [1, 1, 1, 3, 1, 1, 1, 3, 1]
    assert {row["state"] for row in rows} == {"done"}
    out = tmp_path / "table.csv"
    chorale("collect", run, "--out", out)
    assert len(list(csv.DictReader(out.open()))) == len(("prepare", "count", "report")) + 9
    assert "nothing has failed" in chorale("retry", run, "--failed").stdout
