"""The whole configuration, and what must fit together in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chorale.core.config import Config
from chorale.data.corpora.image_config import ImagesConfig
from chorale.experiments.datafree.config.method import CollapseConfig, MethodConfig
from chorale.experiments.datafree.config.training import GeneratorConfig, ScheduleConfig, StudentConfig, TeacherConfig
from chorale.ranks.config import BackendConfig
from chorale.runs.contract import ExperimentConfig
from chorale.training.config import CheckpointConfig


class MoonsConfig(Config):
    """Two interleaved half circles in the plane, so that a decision boundary can be drawn."""

    train: int = Field(2000, ge=2)
    """Points for the teacher."""
    test: int = Field(1000, ge=2)
    """Points for evaluation."""
    noise: float = Field(0.1, ge=0)
    """Standard deviation of the points about the half circles, whose radius is 1."""
    seed: int = Field(0, ge=0)
    """Of the points, apart from the run's: arms and seeds of a comparison share their data."""


class ComparisonConfig(Config):
    """Arms times seeds, side by side, with one teacher."""

    arms: tuple[str, ...] = ()
    """Names of arms; all if not given."""
    seeds: tuple[int, ...] = tuple(range(10))
    """Of each arm: of the student's first weights, the generator's, and every draw."""
    zskt_student_steps: int = Field(10, ge=1)
    """Student steps on each batch of ZSKT, which its published code has ten of; they cost no queries, but time."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Of the intervals."""


class DatafreeConfig(ExperimentConfig):
    """A student that learns from a teacher without the data that the teacher learnt from."""

    experiment: Literal["datafree"] = "datafree"
    """The experiment's name."""
    mode: Literal["distil", "comparison"] = "distil"
    """One distillation, or several ways of it side by side."""
    corpus: ImagesConfig | None = ImagesConfig()
    """The images for the teacher and for the evaluation; null where ``moons`` is given."""
    moons: MoonsConfig | None = None
    """Points in the plane instead of images."""
    teacher: TeacherConfig = TeacherConfig()
    """What the student learns from."""
    student: StudentConfig = StudentConfig()
    """What learns."""
    generator: GeneratorConfig = GeneratorConfig()
    """What makes the images."""
    method: MethodConfig = MethodConfig()
    """What is minimised."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How long."""
    collapse: CollapseConfig = CollapseConfig()
    """What happens where the generator makes one image only."""
    comparison: ComparisonConfig = ComparisonConfig()
    """The comparison."""
    trial: int = Field(0, ge=0)
    """Steps and rounds that throw-away networks do before one distillation's teacher is trained, to say how many hours
    the run will take; 0 for no forecast. Changes no result."""
    backend: BackendConfig = BackendConfig()
    """How ranks train together; one for the teacher and for the distillation."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When a training is saved. Changes no result."""

    @model_validator(mode="after")
    def _fits(self) -> DatafreeConfig:
        if (self.corpus is None) == (self.moons is None):
            raise ValueError("corpus, moons: exactly one of them was expected; set corpus to null for moons")
        if self.backend.kind == "deepspeed" and self.backend.zero_stage == 3:
            raise ValueError(
                "backend.zero_stage: 3 takes the student apart, through which the generator's gradients must flow; "
                "choose 0 to 2"
            )
        if self.backend.kind == "deepspeed" and self.collapse.action == "restart":
            raise ValueError("collapse.action: DeepSpeed cannot let a generator begin anew; choose stop or ignore")
        if self.mode == "comparison" and not self.method.activation.weight:
            raise ValueError("method.activation.weight: a comparison needs it above 0, for the arms that have it")
        if self.schedule.batch % (2 * self.backend.world_size):
            raise ValueError(
                f"schedule.batch {self.schedule.batch} does not go round {self.backend.world_size} ranks in pairs"
            )
        return self
