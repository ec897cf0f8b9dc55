"""What a strategy may see of a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from openevolve.population.database import Database
from openevolve.population.estimates import Estimate
from openevolve.records.choice import Choice
from openevolve.records.idea import Idea
from openevolve.records.known import Tried
from openevolve.records.program import Outcome, Program
from openevolve.settings.models import Config
from openevolve.state.known import tried_by
from openevolve.state.state import State


@dataclass(frozen=True)
class View:
    """A state to read, never to change (the contract tests of strategies hold them to it).

    ``horizon``: results of iterations below this one may be used. In deterministic mode it is the number of
    iterations that had been committed when the one at hand was chosen, however fast others are.
    """

    _state: State
    horizon: int

    @property
    def config(self) -> Config:
        return self._state.config

    @property
    def population(self) -> Database:
        return self._state.population

    @property
    def choices(self) -> Mapping[int, Choice]:
        """By iteration, all that were made before the one at hand."""
        return self._state.choices

    @property
    def committed(self) -> Sequence[int]:
        """Iterations whose outcomes count, in the order in which they began to."""
        return self._state.committed

    @property
    def queued_ideas(self) -> Sequence[Idea]:
        """Those that nobody tries yet, the highest priority first."""
        return self._state.ideas.queued()

    def score(self, program_id: str) -> float | None:
        """The fitness of a program by its id; None where it has none."""
        outcome = self._state.outcomes.get(self._state.iterations.get(program_id, -1))
        return self.population.fitness(outcome.metrics) if outcome and outcome.evaluated else None

    def estimate(self, program_id: str) -> Estimate | None:
        """Of a program's fitness; None where nothing is estimated."""
        return self._state.measurements.estimate(program_id)

    def ancestors(self, program_id: str) -> list[Program]:
        """A program and those that it was made from, by first parents, latest first."""
        found = []
        while program_id in self._state.iterations:
            program = self._state.programs[self._state.iterations[program_id]]
            found.append(program)
            program_id = next(iter(program.parent_ids), "")
        return found

    @property
    def beliefs(self) -> Sequence[str]:
        """Of reviewers, in the order in which they came."""
        return self._state.beliefs

    def tried(self, iterations: Sequence[int]) -> list[Tried]:
        """What came of iterations that count."""
        return tried_by(self._state, iterations)

    def programs(self) -> Iterator[Program]:
        """Those with code that were proposed below the horizon, in the order of their iterations."""
        for iteration in range(self.horizon):
            program = self._state.programs.get(iteration)
            if program is not None and program.code:
                yield program

    def latest_child_failed(self, program_id: str) -> bool:
        """Whether the child of the program that counted last has no score."""
        for iteration in reversed(self._state.committed):
            if program_id in self._state.programs[iteration].parent_ids[:1]:
                return not self._state.outcomes[iteration].evaluated
        return False

    def program(self, iteration: int) -> Program:
        return self._state.programs[iteration]

    def outcome(self, iteration: int) -> Outcome | None:
        """None while it is being measured."""
        return self._state.outcomes.get(iteration)

    def same_program(self, code: str) -> int | None:
        """The first iteration below the horizon that tried the same program."""
        return self._state.same_program(code, before=self.horizon)

    def fate(self, iteration: int) -> str:
        """What became of a program, in a few words."""
        outcome = self.outcome(iteration)
        if outcome is None:
            return "it is being measured"
        if outcome.failure is not None:
            return f"{outcome.failure}: {outcome.message}"
        if outcome.rejected:
            return f"rejected: {outcome.message}"
        name = self.config.database.fitness_metric
        return f"{name} {self.population.fitness(outcome.metrics):.6g}"
