"""The command line: help in no time, one line for a mistake, the exit status that the mistake calls for."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

VERBS = (
    *("run", "submit", "work", "plan", "status", "logs", "cancel", "retry", "collect"),
    *("report", "claims", "corpora", "testbed", "chaos", "bench", "autovector"),
)
TIMEOUT_S = 60


def chorale(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chorale", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=TIMEOUT_S, check=False)


@pytest.fixture
def config(tmp_path: Path, counting: Path) -> Path:
    path = tmp_path / "count.yaml"
    where = f"{{runs: {tmp_path / 'runs'}, cache: {tmp_path / 'cache'}, tracking: disabled, executor: in-process}}"
    path.write_text(f"experiment: counting\nwhere: {where}\n")
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb: str) -> None:
    done = chorale(verb, "--help")
    assert done.returncode == 0
    assert f"chorale {verb}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from chorale.cli.main import main\n"
        "for verb in sys.argv[1:]:\n"
        "    with contextlib.suppress(SystemExit): main([verb, '--help'])\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *VERBS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    imported = set(done.stderr.strip().splitlines()[-1].split())
    assert "pydantic" in imported
    assert not imported & {"torch", "numpy", "h5py", "wandb", "submitit", "scipy", "matplotlib", "torchaudio", "tyro"}


def test_a_run_ends_with_its_table_and_the_pages_path_and_again_does_nothing(config: Path) -> None:
    first = chorale("run", config)
    assert first.returncode == 0, first.stderr
    page = first.stdout.strip().splitlines()[-1].removeprefix("report: ")
    assert Path(page).is_file()
    second = chorale("run", config)
    assert second.returncode == 0
    assert "finished, nothing to do" in second.stderr


def test_json_is_one_document_on_standard_output(config: Path) -> None:
    told = json.loads(chorale("run", config, "--json").stdout)
    assert (told["state"], told["result"]) == ("done", {"total": 140})
    rows = json.loads(chorale("status", "--runs", config.parent / "runs", "--json").stdout)
    assert [row["state"] for row in rows] == ["done"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--sed", "1"], "chorale: command line: sed: unknown key; did you mean seed?"),
        (["--numbers", "0"], "numbers: input should be greater than or equal to 1, found 0"),
        (["--where.runs", "/proc/nowhere"], "/proc/nowhere/counting: cannot be written"),
        (["--bad_input_at", "1", "--intolerant", "true"], "number 1: told to be wrong; choose another"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(config: Path, words: list[str], line: str) -> None:
    done = chorale("run", config, *words)
    assert done.returncode == 2
    complaints = [text for text in done.stderr.splitlines() if text.startswith("chorale: ")]
    assert len(complaints) == 1
    assert line in complaints[0]
    assert "Traceback" not in done.stderr


def test_failed_work_is_exit_status_1(config: Path) -> None:
    done = chorale("run", config, "--fail_at", "1", "--intolerant", "true")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == "chorale: squares-0 item 1: error: ValueError: told to fail"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rnu"], "chorale: 'rnu' is not a verb; did you mean run?"),
        (["run", "nowhere.yaml"], "chorale: nowhere.yaml: No such file or directory"),
        (["status", "nothing"], "chorale: nothing: no such run below"),
        (["autovector", "scroe"], "chorale: autovector has no command 'scroe'; did you mean score?"),
    ],
)
def test_a_word_that_means_nothing_gets_a_remedy(tmp_path: Path, words: list[str], line: str) -> None:
    done = chorale(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(line)


def test_a_breakpoint_in_a_stage_stops_in_the_commands_own_process(config: Path) -> None:
    command = [sys.executable, "-m", "chorale", "run", str(config), "--debug", "--break_at", "2"]
    session = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    output, _ = session.communicate("import os\np 'process', os.getpid()\ncontinue\n", timeout=TIMEOUT_S)
    assert f"('process', {session.pid})" in output
    assert session.returncode == 0


def test_the_keys_of_a_configuration_are_listed_with_its_values(config: Path) -> None:
    done = chorale("run", config, "--help")
    assert done.returncode == 0
    assert "--where.tracking" in done.stdout
    assert "--numbers" in done.stdout


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")], ids=["int", "term"]
)
@pytest.mark.parametrize("executor", ["in-process", "local"])
def test_an_interrupted_run_leaves_nobody_at_work_and_goes_on_where_it_was(
    config: Path, executor: str, number: signal.Signals, word: str
) -> None:
    words = ["run", str(config), "--where.executor", executor, "--seconds", "0.1", "--numbers", "20"]
    first = subprocess.Popen([sys.executable, "-m", "chorale", *words], stderr=subprocess.PIPE, text=True)
    items = config.parent / "runs"
    deadline = time.monotonic() + TIMEOUT_S
    while len(finished(items)) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(number)
    _, complaint = first.communicate(timeout=TIMEOUT_S)
    assert first.returncode == 128 + number
    assert complaint.strip().splitlines()[-1] == f"chorale: {word}; the same command goes on from here"
    # A worker may be in the middle of an item.
    time.sleep(0.5)
    before = finished(items)
    time.sleep(0.5)
    assert finished(items) == before
    assert 5 <= len(before) < 40
    assert chorale(*words).returncode == 0
    after = finished(items)
    assert len(after) == 40
    assert all(after[path] == text for path, text in before.items())


def finished(items: Path) -> dict[Path, str]:
    texts = {path: path.read_text() for path in items.glob("counting/*/stages/squares-*/0*.json")}
    return {path: text for path, text in texts.items() if '"done"' in text}
