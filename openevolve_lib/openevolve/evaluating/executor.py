"""Where programs are measured: the protocol that every executor keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from openevolve.evaluating.channel import Decide
from openevolve.evaluating.isolation import Walls
from openevolve.records.measurement import Unit
from openevolve.records.program import Outcome, Program
from openevolve.records.progress import Progress
from openevolve.settings.models import EvaluatorConfig


def unheard() -> None:
    """Nobody wants to know."""


Hear = Callable[[Program, Progress], None]


def unheard_progress(_: Program, __: Progress) -> None:
    """Nobody wants to know that either."""


@runtime_checkable
class Telling(Protocol):
    """An executor that passes on what evaluations say of themselves while they last."""

    told: Hear


@dataclass(frozen=True)
class Look:
    """One unit of what an evaluator offers to measure, once more."""

    unit: str
    repeat: int


@dataclass(frozen=True)
class Site:
    """What a run measures with, and where; executors are built from it: ``Class.build(site, settings)``."""

    config: EvaluatorConfig
    evaluator: Path
    folder: Path  # of the run's journal; an executor may keep files in a folder of its own below it
    file_suffix: str = ".py"
    environment: Mapping[str, str] = field(default_factory=dict)  # of evaluations, beside the clean one
    walls: Walls | None = None  # around evaluations; None: the evaluator puts programs within walls
    resumed: bool = False  # whether the journal holds anything yet
    worker: str = "openevolve worker"  # the command that starts a worker of such a run
    prepare: str = "openevolve.commands.worker:within_walls"  # what a worker calls first


class Executor(Protocol):
    """Evaluates programs somewhere. Cancelling ``evaluate`` ends the evaluation."""

    @property
    def slots(self) -> int:
        """How many evaluations run at once, at present: machines may come and go. At least 1."""
        ...

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        """Wait for a free slot, call ``started``, evaluate, and return an outcome whatever the program did.

        With ``decide`` the evaluator's ``evaluate_rungs`` is called: after each rung it is asked
        whether to go on, and where not, the outcome is the rung's. It may raise EvaluationFailed.

        Raises RunInterrupted where nothing can be evaluated: a full disk, data that is gone.
        """
        ...

    async def look(self, program: Program, look: Look, started: Callable[[], None] = unheard) -> Outcome:
        """As ``evaluate``, of one unit alone."""
        ...

    async def offered(self, program: Program) -> tuple[Unit, ...]:
        """The units that the evaluator offers; ``program`` is any. Raises UserError where there are none."""
        ...

    def close(self) -> None: ...
