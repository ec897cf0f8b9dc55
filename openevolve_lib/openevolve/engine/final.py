"""The end of a run: the best programs are measured afresh, and what is reported rests on that alone."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence

from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.evaluating.executor import Executor, Look
from openevolve.records.measurement import Measure, Measurement, Unit
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.search.final import course_of, open_final
from openevolve.search.stopping import Stopping
from openevolve.settings.models import Config
from openevolve.state.state import State

_POLL = 0.5  # seconds between looks at what was asked


class FinalStage:
    """Carries out the final that is due, from wherever an earlier session left it."""

    def __init__(
        self, config: Config, executor: Executor, state: State, record: Recorder, stopping: Stopping
    ) -> None:
        self._config = config
        self._executor = executor
        self._state = state
        self._record = record
        self._stopping = stopping
        self._units: tuple[Unit, ...] = ()
        self._waiting: set[asyncio.Task[None]] = set()
        self._measuring: set[asyncio.Task[None]] = set()

    async def prepare(self, initial_code: str) -> None:
        """Ask what can be measured afresh, before anything is paid for.

        Raises UserError where a final is wanted and the evaluator offers nothing for it.
        """
        if self._config.final_share:
            self._units = await self._executor.offered(
                Program("initial", initial_code, iteration=0, island=0)
            )

    async def run(self, poll: Callable[[], None]) -> None:
        """Begin a final where there is something to choose among, and measure until it is over.

        ``poll`` is called meanwhile, again and again: somebody may ask for an end.
        """
        state = self._state
        if not self._units or state.full < 2 or self._stopping.asked:
            return
        if state.final is None or state.final.committed < len(state.committed):
            final = open_final(state, self._units, self._config.final_share)
            self._record("final_begun", sync=True, final=final.to_json())
        while (course := course_of(state)) and (todo := course.todo()) and not self._over():
            await self._round(todo, poll)

    async def again(self, program_id: str) -> None:
        """Measure every unit of a program once more, at a person's request.

        Raises UserError where the evaluator offers none, or there is no such program.
        """
        if program_id not in self._state.iterations:
            raise UserError(f"expected a program of this run, found {program_id}")
        program = self._state.programs[self._state.iterations[program_id]]
        units = self._units or await self._executor.offered(program)
        for unit in units:
            if not unit.proxy:
                repeat = unit.repeats + self._state.looked[program_id, unit.name]
                await self._look(program_id, unit, repeat, asked=True)

    def stop(self) -> None:
        """Finish what is being measured."""
        for task in self._waiting:
            task.cancel()

    def abort(self) -> None:
        for task in [*self._waiting, *self._measuring]:
            task.cancel()

    def _over(self) -> bool:
        hours = self._config.budget.hours
        return self._stopping.asked or (hours is not None and self._record.elapsed() / 3600 >= hours)

    async def _round(self, todo: Sequence[Measure], poll: Callable[[], None]) -> None:
        assert self._state.final is not None
        units = {unit.name: unit for unit in self._state.final.units}
        ahead: Counter[tuple[str, str]] = Counter()
        for measure in todo:
            key = (measure.program_id, measure.unit)
            repeat = units[measure.unit].repeats + self._state.looked[key] + ahead[key]
            ahead[key] += 1
            work = self._look(measure.program_id, units[measure.unit], repeat)
            self._waiting.add(asyncio.create_task(work))
        tasks = [*self._waiting]
        try:
            pending = set(tasks)
            while pending:
                _, pending = await asyncio.wait(pending, timeout=_POLL)
                poll()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.abort()  # where this one is cancelled itself
            await asyncio.gather(*tasks, return_exceptions=True)
            self._waiting.clear()
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _look(self, program_id: str, unit: Unit, repeat: int, **marks: bool) -> None:
        task = asyncio.current_task()
        assert task is not None

        def started() -> None:
            self._waiting.discard(task)
            self._measuring.add(task)

        program = self._state.programs[self._state.iterations[program_id]]
        try:
            outcome = await self._executor.look(program, Look(unit.name, repeat), started)
        finally:
            self._measuring.discard(task)
        outcome = self._checked(outcome)
        measurement = None
        if not outcome.failure:
            measurement = Measurement(
                program_id, unit.name, repeat, self._state.population.fitness(outcome.metrics),
                outcome.metrics.get("cost", unit.cost), round(outcome.seconds, 3), final=True,
            ).to_json()  # fmt: skip
        self._record(
            "looked", sync=True, program_id=program_id, unit=unit.name, repeat=repeat,
            measurement=measurement, failure=outcome.failure, message=outcome.message, **marks,
        )  # fmt: skip

    def _checked(self, outcome: Outcome) -> Outcome:
        if outcome.failure:
            return outcome
        try:
            value = self._state.population.fitness(outcome.metrics)
        except ValueError as error:
            return Outcome(outcome.program_id, failure=FailureKind.CRASHED, message=str(error))
        if not math.isfinite(value):
            return Outcome(outcome.program_id, failure=FailureKind.DIVERGED, message=f"found {value}")
        return outcome
