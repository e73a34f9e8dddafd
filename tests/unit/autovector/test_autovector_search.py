import json
from random import Random

import pytest

from chorale.experiments.autovector.genome import genome_hash
from chorale.experiments.autovector.search import (
    WORST_FITNESS,
    SearchConfig,
    SearchState,
    absorb,
    breed,
    first_generation,
    fittest,
    median,
    random_arm,
)
from chorale.experiments.autovector.space import SpaceConfig

pytestmark = pytest.mark.unit
SPACE = SpaceConfig()
SEARCH = SearchConfig(population=6, generations=4, children=3, tournament=2)


def pretended_error(individual):
    return Random(genome_hash(individual.genome)).random()


def run_search(seed, search=SEARCH):
    generation = first_generation(search, SPACE, seed)
    state = SearchState()
    for _ in range(search.generations + 1):
        state = absorb(state, generation, [pretended_error(child) for child in generation], search.population)
        generation = breed(state, search, SPACE, seed)
    return state


def test_the_first_generation_is_the_xvector_and_random_networks_all_different():
    founders = first_generation(SEARCH, SPACE, seed=0)
    assert founders[0].genome == SPACE.xvector()
    assert len({genome_hash(founder.genome) for founder in founders}) == 6


def test_the_oldest_die_however_fit_they_are():
    founders = first_generation(SEARCH, SPACE, seed=0)
    state = absorb(SearchState(), founders, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 6)
    children = breed(state, SEARCH, SPACE, seed=0)
    after = absorb(state, children, [0.9, 0.9, 0.9], 6)
    assert [individual.number for individual in after.population] == [3, 4, 5, 6, 7, 8]
    assert fittest(after.history).number == 0


def test_a_failed_candidate_gets_the_worst_fitness_and_the_search_goes_on():
    founders = first_generation(SEARCH, SPACE, seed=0)
    state = absorb(SearchState(), founders, [None, 0.5, None, None, None, None], 6)
    assert [individual.fitness for individual in state.population].count(WORST_FITNESS) == 5
    assert fittest(state.population).number == 1
    assert len(breed(state, SEARCH, SPACE, seed=0)) == 3


def test_a_search_whose_candidates_all_fail_still_breeds():
    founders = first_generation(SEARCH, SPACE, seed=0)
    state = absorb(SearchState(), founders, [None] * 6, 6)
    assert len(breed(state, SEARCH, SPACE, seed=0)) == 3


def test_a_tournament_of_everyone_is_won_by_the_fittest():
    everyone = SEARCH.model_copy(update={"tournament": 6})
    founders = first_generation(everyone, SPACE, seed=0)
    state = absorb(SearchState(), founders, [0.5, 0.4, 0.1, 0.4, 0.5, 0.6], 6)
    assert {child.parent for child in breed(state, everyone, SPACE, seed=0)} == {2}


def test_the_same_seed_gives_the_same_search_and_another_seed_another():
    assert run_search(1) == run_search(1)
    assert run_search(1) != run_search(2)


def test_no_network_is_evaluated_twice_in_one_search():
    history = run_search(3).history
    assert len({genome_hash(individual.genome) for individual in history}) == len(history) == 6 + 4 * 3


def test_a_used_up_space_breeds_fewer_children_instead_of_duplicates():
    tiny = SpaceConfig(
        depths=(5,), kernels=(1, 3, 5), dilations=(1, 2, 3), widths=(512,), last_widths=(1500,),
        poolings=("statistics",), embeddings=(512,),
    )  # fmt: skip
    founders = first_generation(SEARCH, tiny, seed=0)[:1]
    state = absorb(SearchState(), founders, [0.5], 6)
    many = SEARCH.model_copy(update={"children": 40})
    children = breed(state, many, tiny, seed=0)
    hashes = [genome_hash(child.genome) for child in children]
    assert 0 < len(children) < 40
    assert len(set(hashes)) == len(hashes)


def test_a_state_survives_json():
    state = run_search(4)
    assert SearchState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_the_random_arm_has_the_budget_of_evolution_unless_told_otherwise():
    assert len(random_arm(SEARCH, SPACE, seed=0)) == 6 + 4 * 3
    assert len(random_arm(SEARCH.model_copy(update={"random_budget": 5}), SPACE, seed=0)) == 5


def test_the_median_is_a_network_that_exists():
    history = run_search(5).history
    assert sorted(x.fitness for x in history)[(len(history) - 1) // 2] == median(history).fitness


@pytest.mark.parametrize("wrong", [{"tournament": 7}, {"children": 7}, {"population": 1}])
def test_a_search_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        SearchConfig(**{**SEARCH.model_dump(), **wrong})
