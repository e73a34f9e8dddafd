import subprocess
import sys
from pathlib import Path

import pytest

from chorale.core.config import load
from chorale.core.errors import InputError
from chorale.experiments.autovector.config import AutovectorConfig
from chorale.experiments.autovector.experiment import Autovector
from chorale.runs.registry import find_experiment

pytestmark = pytest.mark.unit
CONFIGS = Path(__file__).parents[3] / "configs" / "autovector"


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_every_size_is_a_valid_search_whose_first_stages_can_be_declared(size):
    config = load(AutovectorConfig, CONFIGS / f"{size}.yaml")
    stages = {stage.name: stage for stage in Autovector().stages(config)}
    assert len(stages["generation-000"].items) == config.search.population
    assert len(stages["random"].items) == config.search.random_evaluations
    assert all(callable(stage.load()) for stage in stages.values())
    assert Autovector.final_stage in stages


def test_the_paper_size_asks_for_the_root_of_the_corpus_and_takes_it():
    with pytest.raises(InputError, match="layout voxceleb needs a root"):
        load(AutovectorConfig, CONFIGS / "paper.yaml")
    config = load(AutovectorConfig, CONFIGS / "paper.yaml", ["--corpus.root", "/data/voxceleb1/wav"])
    assert config.recipe.chunk_frames == (300, 300)
    assert config.features.dim == 80
    assert config.space.width_multiplier == 1


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (["--serch.population", "3"], "did you mean search.population"),
        (["--search.population", "2"], "tournament cannot be larger"),
        (["--recipe.chunk_frames", "[100, 60]"], "chunk_frames"),
        (["--evaluation.p_targets", "[0.01, 1.5]"], "priors between 0 and 1"),
        (["--finalists.seeds", "2"], "greater than or equal to 3"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told_in_one_line(override, told):
    with pytest.raises(InputError) as error:
        load(AutovectorConfig, CONFIGS / "tiny.yaml", override)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_experiment_is_found_by_name():
    assert isinstance(find_experiment("autovector"), Autovector)


def test_declaring_stages_needs_neither_torch_nor_numpy():
    program = (
        "import sys\n"
        "from chorale.experiments.autovector.experiment import Autovector\n"
        "from chorale.experiments.autovector.config import AutovectorConfig\n"
        "Autovector().stages(AutovectorConfig())\n"
        "sys.exit(bool({'torch', 'numpy', 'h5py', 'scipy'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
