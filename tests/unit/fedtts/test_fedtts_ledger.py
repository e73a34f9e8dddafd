"""The ledger: sums against a plain list of rows, files that come back, and checks that find a missing byte."""

import argparse
import csv
import json
from collections import defaultdict

import numpy as np
import pytest

from chorale.core.errors import InputError, WorkError
from chorale.experiments.fedtts.federation import ledger_files
from chorale.experiments.fedtts.federation.ledger import COLUMNS, NOBODY, Entry, Ledger, Totals
from chorale.experiments.fedtts.ledger_command import ledger_command, summary
from chorale.ranks.channel import Counters

pytestmark = pytest.mark.unit

GROUPS = ("embedding", "encoder.layers.0", "output", "header")
KINDS = ("model", "update", "header")


def filled(seed=0, messages=300, rounds=6):
    """Return a ledger and its rows as a plain list."""
    generator = np.random.default_rng(seed)
    ledger, rows = Ledger(), []
    for _ in range(messages):
        round_, client = int(generator.integers(rounds)), int(generator.integers(10))
        direction = ("down", "up")[generator.integers(2)]
        entries = [
            Entry(
                GROUPS[generator.integers(4)],
                KINDS[generator.integers(3)],
                *(int(n) for n in generator.integers(5, size=3)),
            )
            for _ in range(generator.integers(1, 4))
        ]
        ledger.add(round_, client, direction, entries)
        rows += [(round_, client, NOBODY, direction, *entry) for entry in entries]
        if generator.random() < 0.3:
            rank, n_bytes = int(generator.integers(1, 4)), int(generator.integers(1000))
            ledger.add_physical(round_, rank, direction, "update", n_bytes)
            rows.append((round_, NOBODY, rank, direction, "message", "update", 0, 0, n_bytes))
    return ledger, rows


def listed(ledger, physical=None):
    return [
        row
        for table in ledger.tables(physical)
        for row in zip(*(table[name].tolist() for name in COLUMNS), strict=True)
    ]


def test_rows_come_back_as_they_were_added_in_a_canonical_order():
    ledger, rows = filled()
    place = {"down": 0, "up": 1}
    assert listed(ledger) == sorted(rows, key=lambda row: (row[0], row[2], row[1], place[row[3]]))


def test_logical_and_physical_rows_are_told_apart():
    ledger, rows = filled()
    assert sorted(listed(ledger, physical=True)) == sorted(row for row in rows if row[1] == NOBODY)
    assert sorted(listed(ledger, physical=False)) == sorted(row for row in rows if row[1] != NOBODY)


@pytest.mark.parametrize(
    "by",
    [
        (),
        ("round",),
        ("client",),
        ("direction",),
        ("group",),
        ("kind",),
        ("round", "kind"),
        ("group", "direction", "kind"),
    ],
)
@pytest.mark.parametrize("physical", [False, True])
def test_totals_equal_plain_sums_over_the_rows(by, physical):
    ledger, rows = filled()
    expected = defaultdict(lambda: np.zeros(3, int))
    for row in rows:
        if (row[1] == NOBODY) == physical:
            expected[tuple(row[COLUMNS.index(name)] for name in by)] += row[6:]
    assert ledger.totals(*by, physical=physical) == {key: tuple(sums.tolist()) for key, sums in expected.items()}


def test_totals_can_be_of_one_direction():
    ledger, rows = filled()
    expected = sum(row[8] for row in rows if row[3] == "up" and row[1] != NOBODY)
    assert ledger.total(direction="up").serialised_bytes == expected
    assert ledger.total() == Totals(
        *map(sum, zip(ledger.total(direction="up"), ledger.total(direction="down"), strict=True))
    )


def test_bytes_per_round_and_their_running_sum_by_hand():
    ledger = Ledger()
    ledger.add(0, 3, "down", [Entry("output", "model", 9, 9, 10), Entry("header", "header", 0, 0, 1)])
    ledger.add(2, [3, 4], "up", [Entry("output", "update", 9, 9, 5)])
    assert {kind: row.tolist() for kind, row in ledger.bytes_per_round().items()} == {
        "model": [10, 0, 0],
        "header": [1, 0, 0],
        "update": [0, 0, 10],
    }
    assert ledger.cumulative().tolist() == [11, 11, 21]
    assert ledger.cumulative(direction="up").tolist() == [0, 0, 10]
    assert ledger.totals("client") == {(3,): (18, 18, 16), (4,): (9, 9, 5)}


def test_an_empty_ledger_has_no_rounds_and_sums_of_zero():
    ledger = Ledger()
    assert (ledger.rounds, ledger.total(), ledger.totals("kind"), listed(ledger)) == (0, (0, 0, 0), {}, [])
    assert ledger.cumulative().tolist() == []


def test_truncating_forgets_later_rounds_and_what_is_added_again_is_the_same():
    whole, _ = filled()
    again, _ = filled()
    again.truncate(3)
    assert again.rounds == 3
    for round_, client, rank, direction, *entry in listed(whole):
        if round_ >= 3:
            again.add(round_, client, direction, [Entry(*entry)], rank)
    assert listed(again) == listed(whole)


def test_a_ledger_merged_of_parts_is_the_whole():
    whole, rows = filled()
    parts = [Ledger() for _ in range(3)]
    for number, (round_, client, rank, direction, *entry) in enumerate(rows):
        parts[number % 3].add(round_, client, direction, [Entry(*entry)], rank)
    merged = Ledger()
    for part in parts:
        merged.merge(part)
    assert sorted(listed(merged)) == sorted(listed(whole))
    assert merged.total(physical=True) == whole.total(physical=True)


def test_a_ledger_comes_back_from_its_file_and_can_grow_on(tmp_path):
    ledger, _ = filled()
    ledger_files.save(ledger, tmp_path / "ledger.npz")
    back = ledger_files.load(tmp_path / "ledger.npz")
    assert listed(back) == listed(ledger)
    for each in (back, ledger):
        each.add(9, 1, "up", [Entry("output", "late", 1, 2, 3)])
    assert listed(back) == listed(ledger)


def test_a_damaged_or_missing_file_is_told_in_one_line(tmp_path):
    path = tmp_path / "ledger.npz"
    with pytest.raises(InputError, match=r"ledger\.npz: No such file"):
        ledger_files.load(path)
    ledger_files.save(filled()[0], path)
    whole = path.read_bytes()
    for damaged in (b"", b"nothing", whole[: len(whole) // 2], whole[:200] + b"\xff" * 50 + whole[250:]):
        path.write_bytes(damaged)
        with pytest.raises(WorkError, match=r"ledger\.npz: damaged"):
            ledger_files.load(path)


def test_csv_holds_all_rows(tmp_path):
    ledger, _ = filled()
    ledger_files.write_csv(ledger, tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open() as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert rows == [[str(cell) for cell in row] for row in listed(ledger)]


def test_parquet_holds_all_rows_and_an_empty_ledger_too(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for ledger in (filled()[0], Ledger()):
        ledger_files.write_parquet(ledger, tmp_path / "ledger.parquet")
        table = parquet.read_table(tmp_path / "ledger.parquet")
        assert tuple(table.column_names) == COLUMNS
        assert [tuple(row[name] for name in COLUMNS) for row in table.to_pylist()] == listed(ledger)


def counted(down=100, up=40, arrived_down=None):
    arrived = down if arrived_down is None else arrived_down
    return {0: Counters({1: down}, {1: up}), 1: Counters({0: up}, {0: arrived})}


def physical_ledger():
    ledger = Ledger()
    ledger.add_physical(0, 1, "down", "model", 60)
    ledger.add_physical(1, 1, "down", "model", 40)
    ledger.add_physical(1, 1, "up", "update", 40)
    return ledger


def test_a_ledger_that_agrees_with_what_mpi_was_handed_passes():
    physical_ledger().check(counted())
    physical_ledger().check(counted(down=40), first_round=1)
    physical_ledger().check({0: counted()[0]})


def test_a_byte_that_the_ledger_misses_is_found():
    with pytest.raises(WorkError, match="the ledger tells 100 bytes down for rank 1, MPI 101"):
        physical_ledger().check(counted(down=101))
    with pytest.raises(WorkError, match="the ledger tells 40 bytes up for rank 1, MPI 0"):
        physical_ledger().check(counted(up=0))


def test_a_row_for_a_rank_that_mpi_does_not_know_is_found():
    ledger = physical_ledger()
    ledger.add_physical(1, 2, "up", "update", 7)
    with pytest.raises(WorkError, match="the ledger tells 7 bytes up for rank 2, MPI 0"):
        ledger.check(counted())


def test_a_byte_that_did_not_arrive_is_found():
    with pytest.raises(WorkError, match="rank 0 sent rank 1 100 bytes, of which 99 arrived"):
        physical_ledger().check(counted(arrived_down=99))


def test_a_million_messages_that_are_alike_take_little_and_add_up():
    ledger = Ledger()
    clients = list(range(1000))
    entries = tuple(Entry(f"encoder.layers.{layer}", "model", 400, 400, 400) for layer in range(17))
    for round_ in range(1000):
        ledger.add(round_, clients, "down", entries)
    assert len(ledger) == 1_000_000
    assert ledger.messages.nbytes <= 20_000_000
    # Rows are looked at in full, so only a part of them here: the test is to stay short.
    ledger.truncate(20)
    assert ledger.total() == (20_000 * 17 * 400,) * 3


def test_the_verb_tells_totals_and_writes_tables(tmp_path, monkeypatch):
    run = tmp_path / "fedtts" / "tiny-0123456789ab"
    (run / "artifacts").mkdir(parents=True)
    (run / "config.yaml").write_text("experiment: fedtts\n")
    monkeypatch.setenv("CHORALE_RUNS", str(tmp_path))
    ledger, rows = filled()
    command = ledger_command()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(InputError, match="has no ledger yet"):
        command.run(parser.parse_args(["tiny"]))
    ledger_files.save(ledger, run / "artifacts" / "ledger.npz")
    told = command.run(parser.parse_args(["tiny", "--csv", str(tmp_path / "all.csv")]))
    told = json.loads(json.dumps(told))
    logical = [row for row in rows if row[1] != NOBODY]
    assert told["total"]["serialised_bytes"] == sum(row[8] for row in logical)
    assert told["direction"]["up"]["payload_bytes"] == sum(row[7] for row in logical if row[3] == "up")
    assert told["client"]["7"]["dense_bytes"] == sum(row[6] for row in logical if row[1] == 7)
    assert told["physical"]["serialised_bytes"] == sum(row[8] for row in rows if row[1] == NOBODY)
    assert len((tmp_path / "all.csv").read_text().splitlines()) == len(rows) + 1
    text = command.render(told)
    assert "encoder.layers.0" in text
    assert "rank 2 down" in text


def test_the_summary_of_a_ledger_of_ranks_alone_has_no_clients():
    told = summary(physical_ledger())
    assert told["client"] == {}
    assert told["physical"]["ranks"] == [
        {"rank": 1, "direction": "down", "serialised_bytes": 100},
        {"rank": 1, "direction": "up", "serialised_bytes": 40},
    ]
