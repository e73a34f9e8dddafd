"""Configuration: files with includes, overrides, errors that name file, key and the nearest valid key."""

import math
from pathlib import Path

import pytest
from pydantic import Field

from chorale.core.config import Config, load
from chorale.core.errors import InputError

pytestmark = pytest.mark.unit


class Search(Config):
    population: int = Field(6, ge=2)
    rate: float = 0.5


class Whole(Config):
    search: Search = Search()
    seed: int = 0
    where: str = "here"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_what_a_file_includes_comes_first_and_its_own_keys_win(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "search: {population: 9, rate: 0.25}\nseed: 4\n")
    config = load(Whole, write(tmp_path / "tiny.yaml", "include: base.yaml\nsearch: {population: 3}\n"))
    assert config == Whole(search=Search(population=3, rate=0.25), seed=4)


@pytest.mark.parametrize("words", [["--search.population", "8"], ["--search.population=8"]])
def test_an_override_wins_over_the_file(tmp_path: Path, words: list[str]) -> None:
    path = write(tmp_path / "tiny.yaml", "search: {population: 3}\n")
    assert load(Whole, path, words).search.population == 8


def test_an_unknown_key_names_the_whole_key_its_place_and_the_nearest_one(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.yaml", "seed: 1\n")
    with pytest.raises(InputError) as caught:
        load(Whole, path, ["--serch.population", "3"])
    assert str(caught.value) == "command line: serch.population: unknown key; did you mean search.population?"


def test_an_unknown_key_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    base = write(tmp_path / "base.yaml", "search: {popluation: 9}\n")
    with pytest.raises(InputError, match=rf"{base}: search.popluation: unknown key; did you mean search.population"):
        load(Whole, write(tmp_path / "tiny.yaml", "include: base.yaml\n"))


def test_a_value_out_of_range_says_what_was_expected_and_found(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.yaml", "search: {population: 1}\n")
    with pytest.raises(InputError) as caught:
        load(Whole, path)
    assert str(caught.value) == f"{path}: search.population: input should be greater than or equal to 2, found 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "the key 'seed' stands twice"),
        ("- 1\n", "a mapping of keys to values was expected, found list"),
        ("seed: [1\n", "not a YAML file"),
        ("include: tiny.yaml\n", "includes itself"),
        (f"search: {{rate: {math.inf}}}", "search.rate"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "tiny.yaml", text)
    with pytest.raises(InputError) as caught:
        load(Whole, path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "tiny.yaml", "seed: 1\n")
    with pytest.raises(InputError, match=r"did you mean .*tiny\.yaml"):
        load(Whole, tmp_path / "tyni.yaml")


@pytest.mark.parametrize("words", [["seed", "1"], ["--seed"], ["--seed", "[1"]])
def test_a_malformed_override_is_an_input_error(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(InputError, match="command line"):
        load(Whole, write(tmp_path / "tiny.yaml", "seed: 1\n"), words)


def test_identity_depends_on_values_not_on_how_they_were_written(tmp_path: Path) -> None:
    first = load(Whole, write(tmp_path / "a.yaml", "seed: 1\nsearch: {rate: 5e-1}\n"))
    second = load(Whole, write(tmp_path / "b.yaml", "search:\n  rate: 0.5\n  population: 6\n"), ["--seed", "1"])
    assert first.identity() == second.identity()
    assert first.identity() != Whole(seed=2).identity()


def test_identity_leaves_out_what_is_excluded() -> None:
    assert Whole(where="there").identity(exclude={"where"}) == Whole().identity(exclude={"where"})
    assert Whole(where="there").identity() != Whole().identity()
