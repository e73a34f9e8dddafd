"""Seeds depend on their key alone."""

import subprocess
import sys

import pytest

from chorale.core.seeds import seed_for

pytestmark = pytest.mark.unit


def test_a_seed_is_the_same_in_another_process() -> None:
    code = "from chorale.core.seeds import seed_for; print(seed_for(1, 'crop', 2))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == seed_for(1, "crop", 2)


def test_parts_of_a_key_do_not_run_together() -> None:
    seeds = {seed_for(1, 23), seed_for(12, 3), seed_for("1", 23), seed_for(1, 2, 3), seed_for(123)}
    assert len(seeds) == 5


def test_a_seed_fits_a_signed_64_bit_integer() -> None:
    assert all(0 <= seed_for("x", n) < 2**63 for n in range(1000))
