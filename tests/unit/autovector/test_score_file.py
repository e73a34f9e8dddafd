import argparse
import subprocess
import sys
import time

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.autovector.score_file import measure, read_scores, score_command, write_scores

pytestmark = pytest.mark.unit


def test_scores_written_are_read_back_exactly(tmp_path):
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, 1000), generator.normal(size=1000).astype(np.float32)
    write_scores(tmp_path / "scores.txt", labels, scores)
    labels_read, scores_read = read_scores(tmp_path / "scores.txt")
    assert np.array_equal(labels_read, labels)
    assert np.array_equal(scores_read.astype(np.float32), scores)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 0.5\n0 0.1\n1 zero\n", "line 3: '1 zero' is not two numbers"),
        ("1 0.5\n0 0.1 x\n", "line 2: '0 0.1 x' has 3 columns, not 2"),
        ("1 0.5\n0\n", "line 2: '0' has 1 columns, not 2"),
        ("1\n0\n", "line 1: '1' has 1 columns, not 2"),
        ("1 0.5\n2 0.1\n", "line 2: label 2 is neither 1 nor 0"),
        ("1 0.5\n\n0 nan\n", "line 3: the score is NaN"),
        ("", "holds no trial"),
        ("1 0.5\n1 0.6\n", "there is no non-target trial"),
        ("target 0.5\n", "line 1: 'target 0.5' is not two numbers"),
    ],
)
def test_a_bad_score_file_is_told_in_one_line_with_the_line_number(tmp_path, text, told):
    path = tmp_path / "scores.txt"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        measure(path, [0.01])
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_text_and_one_that_is_missing_are_input_errors(tmp_path):
    (tmp_path / "sound.wav").write_bytes(b"RIFF\xff\xfe\x00\x01" * 50)
    for name in ("sound.wav", "missing.txt"):
        with pytest.raises(InputError, match=name):
            measure(tmp_path / name, [0.01])


@pytest.mark.parametrize("p_target", [0.0, 1.0, -1.0, float("nan")])
def test_a_prior_outside_zero_and_one_is_an_input_error(tmp_path, p_target):
    with pytest.raises(InputError, match="p-target"):
        measure(tmp_path / "any", [p_target])


def test_the_verb_measures_a_file_and_shows_it_to_a_person(tmp_path):
    path = tmp_path / "scores.txt"
    path.write_text("1 4\n1 2\n0 3\n0 1\n0 0\n0 0\n")
    command = score_command()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    value = command.run(parser.parse_args([str(path), "--p-target", "0.05"]))
    assert value["eer"] == 0.25
    assert value["min_dcf"] == [{"p_target": 0.05, "min_dcf": pytest.approx(0.5)}]
    assert "25.000 %" in command.render(value)


def test_three_million_trials_are_measured_within_two_gibibytes(tmp_path):
    path = tmp_path / "scores.txt"
    block = "".join(f"{i % 50 == 0:d} {(i * 7919 % 10007) / 10007 + (i % 50 == 0) / 2:.6f}\n" for i in range(100_000))
    with path.open("w") as file:
        for _ in range(30):
            file.write(block)
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from chorale.experiments.autovector.score_file import measure\n"
        "value = measure(Path(sys.argv[1]), [0.01, 0.05])\n"
        "print(value['target_trials'] + value['non_target_trials'], value['eer'],"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    trials, eer, peak_kib = done.stdout.split()
    assert int(trials) == 3_000_000
    assert 0.1 < float(eer) < 0.4
    assert int(peak_kib) < 2 * 1024 * 1024
    print(f"{peak_kib} KiB, {time.monotonic() - started:.1f} s")
