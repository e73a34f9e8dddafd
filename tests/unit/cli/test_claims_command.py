"""`chorale claims`: the section that it writes, and what it refuses before anything is trained."""

import json
from pathlib import Path

import pytest

from chorale.cli import claims
from chorale.cli.claims import with_section
from chorale.core.errors import InputError
from chorale.runs.contract import Claims
from chorale.runs.registry import find_experiment

pytestmark = pytest.mark.unit
BEGIN, END = "<!-- claims: fedtts -->", "<!-- end of claims: fedtts -->"


def test_a_section_replaces_its_own_text_and_nothing_else() -> None:
    other = "<!-- claims: other -->\nkept\n<!-- end of claims: other -->"
    text = f"# Benchmarks\n\nbefore\n\n{BEGIN}\nold\n{END}\n\n{other}\n"
    written = with_section(text, "fedtts", "\nnew\n\nlines\n")
    assert written == text.replace("old", "new\n\nlines")
    assert with_section(written, "fedtts", "new\n\nlines") == written


def test_a_section_that_is_missing_is_appended() -> None:
    assert with_section("# Benchmarks\n", "fedtts", "new") == f"# Benchmarks\n\n{BEGIN}\nnew\n{END}\n"
    assert with_section("", "fedtts", "new") == f"{BEGIN}\nnew\n{END}\n"


@pytest.mark.parametrize("text", [BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}\n{END}\n{BEGIN}\n{END}"])
def test_damaged_marks_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="marks"):
        with_section(text, "fedtts", "new")


def test_an_experiment_without_claims_says_so(counting: Path) -> None:
    with pytest.raises(InputError, match="counting has no claims"):
        claims.main(["counting"])


@pytest.fixture
def config(tmp_path: Path, counting: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The counting experiment's configuration; it claims that numbers can be counted if there are at most four."""
    made = Claims("count.yaml", lambda config: config.numbers <= 4, lambda result: f"## Counted\n\n{result['total']}")
    monkeypatch.setattr(type(find_experiment("counting")), "claims", lambda experiment: made)
    path = tmp_path / "count.yaml"
    where = f"{{runs: {tmp_path / 'runs'}, cache: {tmp_path / 'cache'}, tracking: disabled, executor: in-process}}"
    path.write_text(f"experiment: counting\nwhere: {where}\n")
    return path


def test_claims_are_carried_out_printed_and_written_and_again_at_once(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = config.parent / "BENCHMARKS.md"
    target.write_text("# Benchmarks\n")
    assert claims.main(["counting", "--config", str(config), "--write", str(target)]) == 0
    assert capsys.readouterr().out == "## Counted\n\n140\n"
    assert target.read_text().count("140") == 1
    stages = list((config.parent / "runs").glob("counting/*/stages/*/*.1.json"))
    assert claims.main(["counting", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"total": 140}
    assert stages and not list((config.parent / "runs").glob("counting/*/stages/*/*.2.json"))


def test_overrides_make_another_comparison(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert claims.main(["counting", "--config", str(config), "--json", "--numbers", "1"]) == 0
    assert json.loads(capsys.readouterr().out) == {"total": 1}


def test_what_cannot_be_done_is_refused_before_a_run_is_made(config: Path) -> None:
    damaged = config.parent / "damaged.md"
    damaged.write_text("<!-- claims: counting -->")
    with pytest.raises(InputError, match="marks"):
        claims.main(["counting", "--config", str(config), "--write", str(damaged)])
    with pytest.raises(InputError, match="no such file"):
        claims.main(["counting", "--config", str(config.parent / "none.yaml")])
    with pytest.raises(InputError, match="no comparison"):
        claims.main(["counting", "--config", str(config), "--numbers", "5"])
    assert not (config.parent / "runs").exists()
