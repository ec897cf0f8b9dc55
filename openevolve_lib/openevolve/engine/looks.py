"""Units measured once more: by whom, and what the journal is told of it."""

import asyncio
import math
from collections.abc import Callable, Sequence

import numpy as np

from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.evaluating.executor import Executor, Look, unheard
from openevolve.measuring.allocation import Allocation
from openevolve.measuring.situation import situation_of
from openevolve.population.scales import SCALES
from openevolve.records.measurement import Measurement, Unit
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.settings.models import Config
from openevolve.state.measurements import Key
from openevolve.state.random import random_source
from openevolve.state.state import State

_MOST_AT_ONCE = 16  # further looks that one commit may lead to


class Looker:
    """Measures one unit of one program, and records what it gave."""

    def __init__(self, executor: Executor, state: State, record: Recorder) -> None:
        self._executor = executor
        self._state = state
        self._record = record

    async def offered(self, initial_code: str) -> tuple[Unit, ...]:
        """The units that the evaluator offers. Raises UserError where there are none that could be used."""
        units = await self._executor.offered(Program("initial", initial_code, iteration=0, island=0))
        for unit in units:
            if unit.scale not in SCALES:
                raise UserError(
                    f"unit {unit.name}: expected a scale of {', '.join(SCALES)}, found {unit.scale!r}"
                )
        if all(unit.proxy for unit in units):
            raise UserError("units(): expected at least one unit that is no proxy, found none")
        return units

    async def look(
        self,
        program_id: str,
        unit: Unit,
        repeat: int,
        *,
        final: bool,
        asked: bool = False,
        started: Callable[[], None] = unheard,
        after: "asyncio.Task[None] | None" = None,
    ) -> None:
        """Measure, and record it once ``after`` has ended. ``asked``: at a person's request."""
        program = self._state.programs[self._state.iterations[program_id]]
        outcome = self._checked(await self._executor.look(program, Look(unit.name, repeat), started))
        if after is not None:
            await asyncio.wait([after])
        measurement = None
        if not outcome.failure:
            measurement = Measurement(
                program_id, unit.name, repeat, self._state.population.fitness(outcome.metrics),
                outcome.metrics.get("cost", unit.cost), round(outcome.seconds, 3), final=final,
            ).to_json()  # fmt: skip
        self._record(
            "looked", sync=True, program_id=program_id, unit=unit.name, repeat=repeat,
            measurement=measurement, failure=outcome.failure, message=outcome.message,
            **({"asked": True} if asked else {}),
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


class FurtherLooks:
    """Looks beyond the evaluations, while the search lasts: what an allocation thinks worth its cost."""

    def __init__(
        self, config: Config, looker: Looker, state: State, record: Recorder, allocation: Allocation
    ) -> None:
        self._config = config
        self._looker = looker
        self._state = state
        self._record = record
        self._allocation = allocation
        self._waiting: dict[Key, asyncio.Task[None]] = {}
        self._measuring: dict[Key, asyncio.Task[None]] = {}
        self._latest: asyncio.Task[None] | None = None

    async def prepare(self, initial_code: str) -> None:
        """Ask what can be measured afresh, before anything is paid for; once for a run.

        Raises UserError where a share of the budget is for it and the evaluator offers nothing.
        """
        wanted = self._config.final_share or self._config.further_share
        if wanted and not self._state.measurements.units:
            units = await self._looker.offered(initial_code)
            self._record("offered", units=[unit.to_json() for unit in units])

    @property
    def tasks(self) -> Sequence["asyncio.Task[None]"]:
        return [*self._waiting.values(), *self._measuring.values()]

    def decide(self) -> None:
        """Choose what is to be measured, now that so many outcomes count; once for each number of them."""
        committed = len(self._state.committed)
        if not self._config.further_share or self._state.reconsidered_at == committed:
            return
        if chosen := self._chosen(committed):
            self._record("reconsidered", committed=committed, looks=[list(key) for key in chosen])

    def _chosen(self, committed: int) -> list[Key]:
        state = self._state
        chosen: list[Key] = []
        seed = random_source(self._config.random_seed, committed, "further").getrandbits(64)
        rng = np.random.default_rng(seed)
        while len(chosen) < _MOST_AT_ONCE:
            situation = situation_of(state, chosen)
            measure = situation and self._allocation.further(situation, rng)
            if not measure:
                break
            ahead = sum(key[:2] == (measure.program_id, measure.unit) for key in chosen)
            repeats = state.measurements.next_repeats(measure.program_id, measure.unit, ahead + 1)
            chosen.append((measure.program_id, measure.unit, repeats[-1]))
        return chosen

    def begin(self) -> None:
        """Start what is due; the executor's slots are taken in turn."""
        for key in self._state.measurements.due:
            if key not in self._waiting and key not in self._measuring:
                # In deterministic mode what is known grows in the order of what was chosen.
                after = self._latest if self._config.deterministic else None
                self._latest = self._waiting[key] = asyncio.create_task(self._look(key, after))

    async def _look(self, key: Key, after: "asyncio.Task[None] | None") -> None:
        program_id, name, repeat = key

        def started() -> None:
            self._measuring[key] = self._waiting.pop(key)

        await self._looker.look(
            program_id, self._unit(name), repeat, final=False, started=started, after=after
        )

    def _unit(self, name: str) -> Unit:
        return next(unit for unit in self._state.measurements.units if unit.name == name)

    def gather(self) -> None:
        """Forget what has ended. Raises what no later look could mend."""
        for tasks in (self._waiting, self._measuring):
            for key in [key for key, task in tasks.items() if task.done()]:
                task = tasks.pop(key)
                if not task.cancelled():
                    task.result()

    def stop(self) -> None:
        """Finish what is being measured; the rest stays due."""
        for task in self._waiting.values():
            task.cancel()

    def abort(self) -> None:
        for task in self.tasks:
            task.cancel()
