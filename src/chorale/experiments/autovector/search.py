"""Ageing evolution (Real et al. 2019) by generations, and random search: pure functions on a state that is JSON.

Every draw is keyed by what it is for, so the same results breed the same children, in whatever process that happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any, Literal

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.core.seeds import seed_for
from chorale.experiments.autovector.genome import Genome, draw, genome_hash, mutate
from chorale.experiments.autovector.space import SpaceConfig

WORST_FITNESS = 1.0
"""An equal error rate cannot be higher: what a candidate gets that failed or collapsed."""
_TRIES = 100
"""Draws for one new genome before the space counts as used up."""


class SearchConfig(Config):
    """How genomes are sought. The paper's own search is not known; this is our choice."""

    algorithm: Literal["ageing-evolution", "random", "none"] = "ageing-evolution"
    """``random`` runs the baseline alone; ``none`` searches nothing and trains one x-vector, on one rank or many."""
    population: int = Field(20, ge=2)
    """Individuals alive; the first generation is the x-vector and random genomes, so many."""
    generations: int = Field(10, ge=0)
    """Generations bred after the first."""
    children: int = Field(10, ge=1)
    """Children per generation: one array job. As many of the oldest die."""
    tournament: int = Field(5, ge=1)
    """Individuals drawn for each tournament; the fittest becomes the parent."""
    random_budget: int | None = Field(None, ge=1)
    """Evaluations of the random baseline; as many as evolution's if not given."""

    @model_validator(mode="after")
    def _consistent(self) -> SearchConfig:
        if self.tournament > self.population:
            raise ValueError("tournament cannot be larger than population")
        if self.children > self.population:
            raise ValueError("children cannot outnumber population, or the young would die before they are parents")
        return self

    @property
    def random_evaluations(self) -> int:
        """How many genomes the random baseline evaluates."""
        return self.random_budget or self.population + self.generations * self.children


@dataclass(frozen=True)
class Individual:
    """One candidate network of a search.

    Attributes:
        number: Counts from 0 in order of birth; the oldest has the lowest.
        generation: 0 for the first.
        genome: Its genes.
        parent: Its parent's number; None without one.
        origin: ``x-vector``, ``random``, or the mutation that made it.
        fitness: EER on the search-dev trials, lower is fitter; None before it is known.
    """

    number: int
    generation: int
    genome: Genome
    parent: int | None = None
    origin: str = "random"
    fitness: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the individual as a JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Individual:
        """Return the individual that :meth:`to_json` made."""
        return cls(**value)


@dataclass(frozen=True)
class SearchState:
    """Everything a search knows.

    Attributes:
        generation: The newest generation that was evaluated; -1 before the first.
        population: The living, oldest first.
        history: Everyone ever evaluated, in order of birth.
    """

    generation: int = -1
    population: tuple[Individual, ...] = ()
    history: tuple[Individual, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON value."""
        return {
            "generation": self.generation,
            "population": [individual.to_json() for individual in self.population],
            "history": [individual.to_json() for individual in self.history],
        }

    @classmethod
    def from_json(cls, value: Any) -> SearchState:
        """Return the state that :meth:`to_json` made."""
        return cls(
            generation=value["generation"],
            population=tuple(Individual.from_json(tree) for tree in value["population"]),
            history=tuple(Individual.from_json(tree) for tree in value["history"]),
        )


def first_generation(search: SearchConfig, space: SpaceConfig, seed: int) -> list[Individual]:
    """Return the x-vector and ``population - 1`` random genomes, no two the same network."""
    founders = [Individual(0, 0, space.xvector(), origin="x-vector")]
    for genome in _new_genomes(search.population - 1, space, [founders[0].genome], (seed, "first")):
        founders.append(Individual(len(founders), 0, genome))
    return founders


def random_arm(search: SearchConfig, space: SpaceConfig, seed: int) -> list[Individual]:
    """Return the genomes of the random baseline, no two the same network."""
    genomes = _new_genomes(search.random_evaluations, space, [], (seed, "random"))
    return [Individual(number, 0, genome) for number, genome in enumerate(genomes)]


def absorb(
    state: SearchState, children: Sequence[Individual], fitness: Sequence[float | None], population: int
) -> SearchState:
    """Return the state after a generation was evaluated: children join, the oldest die.

    Args:
        state: Before.
        children: The generation, in order of birth.
        fitness: Of each child; None for one that failed or collapsed, which gets the worst.
        population: How many stay alive.
    """
    evaluated = tuple(
        replace(child, fitness=WORST_FITNESS if value is None else value)
        for child, value in zip(children, fitness, strict=True)
    )
    alive = state.population + evaluated
    return SearchState(state.generation + 1, alive[-population:], state.history + evaluated)


def breed(state: SearchState, search: SearchConfig, space: SpaceConfig, seed: int) -> list[Individual]:
    """Return the next generation: for each child a tournament, and one mutation of the winner.

    A child that was evaluated before, or is a twin in its own generation, is drawn again; fewer children come only
    from a space that is used up.
    """
    known = {genome_hash(individual.genome) for individual in state.history}
    children: list[Individual] = []
    for slot in range(search.children):
        for attempt in range(_TRIES):
            random = Random(seed_for(seed, "breed", state.generation + 1, slot, attempt))
            rivals = random.sample(state.population, min(search.tournament, len(state.population)))
            parent = min(rivals, key=_rank)
            mutation = mutate(parent.genome, space, random)
            identity = genome_hash(mutation.genome)
            if identity not in known:
                known.add(identity)
                number = len(state.history) + len(children)
                child = Individual(number, state.generation + 1, mutation.genome, parent.number, str(mutation))
                children.append(child)
                break
    return children


def fittest(individuals: Sequence[Individual]) -> Individual:
    """Return the individual with the lowest error; of equals the elder."""
    return min(individuals, key=_rank)


def median(individuals: Sequence[Individual]) -> Individual:
    """Return the individual of median fitness; of an even number the fitter of the middle two."""
    return sorted(individuals, key=_rank)[(len(individuals) - 1) // 2]


def _rank(individual: Individual) -> tuple[float, int]:
    return (WORST_FITNESS if individual.fitness is None else individual.fitness, individual.number)


def _new_genomes(count: int, space: SpaceConfig, taken: Sequence[Genome], key: tuple[int, str]) -> list[Genome]:
    known = {genome_hash(genome) for genome in taken}
    genomes: list[Genome] = []
    for slot in range(count):
        for attempt in range(_TRIES):
            genome = draw(space, Random(seed_for(*key, slot, attempt)))
            if genome_hash(genome) not in known:
                known.add(genome_hash(genome))
                genomes.append(genome)
                break
    return genomes
