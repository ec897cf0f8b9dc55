"""The end of a run: the best programs are measured afresh, and what is reported rests on that alone."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from openevolve.engine.looks import Looker
from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.records.measurement import Measure, Unit
from openevolve.search.final import course_of, open_final
from openevolve.search.stopping import Stopping
from openevolve.settings.models import Config
from openevolve.state.state import State

_POLL = 0.5  # seconds between looks at what was asked


class FinalStage:
    """Carries out the final that is due, from wherever an earlier session left it."""

    def __init__(
        self, config: Config, looker: Looker, state: State, record: Recorder, stopping: Stopping
    ) -> None:
        self._config = config
        self._looker = looker
        self._state = state
        self._record = record
        self._stopping = stopping
        self._waiting: set[asyncio.Task[None]] = set()
        self._measuring: set[asyncio.Task[None]] = set()

    async def run(self, poll: Callable[[], None]) -> None:
        """Begin a final where there is something to choose among, and measure until it is over.

        ``poll`` is called meanwhile, again and again: somebody may ask for an end.
        """
        state, units = self._state, self._state.measurements.units
        if not self._config.final_share or not units or state.full < 2 or self._stopping.asked:
            return
        if state.final is None or state.final.committed < len(state.committed):
            final = open_final(state, units, self._config.final_share)
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
        known = self._state.measurements
        for unit in known.units or await self._looker.offered(program.code):
            if not unit.proxy:
                (repeat,) = known.next_repeats(program_id, unit.name, 1, unit.repeats)
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
        wanted = Counter((measure.program_id, measure.unit) for measure in todo)
        for (program_id, name), count in wanted.items():
            unit = units[name]
            for repeat in self._state.measurements.next_repeats(program_id, name, count, unit.repeats):
                self._waiting.add(asyncio.create_task(self._look(program_id, unit, repeat)))
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

    async def _look(self, program_id: str, unit: Unit, repeat: int, asked: bool = False) -> None:
        task = asyncio.current_task()
        assert task is not None

        def started() -> None:
            self._waiting.discard(task)
            self._measuring.add(task)

        try:
            await self._looker.look(program_id, unit, repeat, final=True, started=started, asked=asked)
        finally:
            self._measuring.discard(task)
