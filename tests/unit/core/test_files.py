"""Files are whole or not there, and made by exactly one of several writers."""

import os
import threading
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.core.files import atomic_path, create_exclusively, read_json, require_writable, sha256, write_text

pytestmark = pytest.mark.unit


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_exactly_one_creates_and_its_text_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "claim"
    made = []
    start = threading.Barrier(8)

    def try_it(number: int) -> None:
        start.wait()
        if create_exclusively(path, f"writer {number}" * 1000):
            made.append(number)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert path.read_text() == f"writer {made[0]}" * 1000
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_obeys_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_directory_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        require_writable(tmp_path / "file" / "runs")


def test_damaged_json_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InputError, match=r"x\.json: not a JSON file"):
        read_json(tmp_path / "x.json")
