"""How the candidates of a run did, read from the run's directory; works while the run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from chorale.core.errors import InputError
from chorale.experiments.autovector.search import Individual
from chorale.runs.directory import Run
from chorale.runs.items import Failure, ItemRecord, State

EVOLUTION_PREFIX = "generation-"
LISTS_STAGE = "lists"
FEATURES_STAGE = "features"
STORE_STAGE = "store"
RANDOM_STAGE = "random"
SELECT_STAGE = "select"
TRAIN_STAGE = "train"
FINALISTS_STAGE = "finalists"
SUMMARY_STAGE = "summary"
SUMMARY_FILE = "summary.json"
SEARCH_FILE = "search.json"

Arm = Literal["evolution", "random"]


@dataclass(frozen=True)
class Candidate:
    """One network of a search and how its item stands.

    Attributes:
        arm: Which search drew it.
        individual: Its genome and origin; the fitness is filled in once it is known.
        record: The newest attempt at it.
    """

    arm: Arm
    individual: Individual
    record: ItemRecord

    @property
    def result(self) -> dict[str, Any] | None:
        """What the candidate's stage gave back; None if it has not, or failed."""
        return result_of(self.record)


def generation_stage(number: int) -> str:
    """Return the name of a generation's stage, such as ``generation-003``."""
    return f"{EVOLUTION_PREFIX}{number:03d}"


def breeding_stage(number: int) -> str:
    """Return the name of the stage that breeds generation ``number``."""
    return f"breed-{number:03d}"


def result_of(record: ItemRecord) -> dict[str, Any] | None:
    """Return the result of a candidate that did well; None for one that failed or has not ended."""
    return record.result if record.state is State.DONE and isinstance(record.result, dict) else None


def fitness_of(record: ItemRecord) -> float | None:
    """Return a candidate's EER on the search-dev trials; None if it failed, collapsed or has not ended."""
    result = result_of(record)
    return None if result is None else float(result["eer"])


def refuse_bad_input(stage: str, records: Sequence[ItemRecord]) -> None:
    """Make sure that no item failed for want of good input: such a failure says nothing about its network.

    Raises:
        InputError: One did; with its message.
    """
    for record in records:
        if record.failure is Failure.INPUT:
            remedy = f"then start the run again with --again {stage}"
            raise InputError(f"{stage} item {record.index}: {record.message}", remedy)


def candidates(run: Run) -> list[Candidate]:
    """Return every candidate declared so far: evolution's generations in order, then the random arm."""
    found: list[Candidate] = []
    stages = run.stages()
    arms: list[tuple[Arm, str]] = []
    arms += [("evolution", name) for name in sorted(stages) if name.startswith(EVOLUTION_PREFIX)]
    arms += [("random", name) for name in stages if name == RANDOM_STAGE]
    for arm, name in arms:
        for item, record in zip(stages[name].items, run.items(stages[name]), strict=True):
            individual = Individual.from_json(item)
            found.append(Candidate(arm, replace(individual, fitness=fitness_of(record)), record))
    return found


def of_arm(all_candidates: Sequence[Candidate], arm: Arm) -> list[Candidate]:
    """Return the candidates of one arm, in order of birth."""
    return [candidate for candidate in all_candidates if candidate.arm == arm]


def count_trainings(records: Sequence[ItemRecord]) -> dict[str, int]:
    """Return how many trainings were executed, how many were taken from the cache, and how many failed."""
    sources = [result["source"] if (result := result_of(record)) else "failed" for record in records]
    return {source: sources.count(source) for source in ("executed", "cached", "failed")}
