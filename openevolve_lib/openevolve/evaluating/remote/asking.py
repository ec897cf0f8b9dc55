"""What an executor says whose measurements are results from elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.channel import Decide
from openevolve.evaluating.executor import Look, unheard
from openevolve.evaluating.remote.messages import Kind, Result
from openevolve.records.measurement import Unit
from openevolve.records.program import Outcome, Program


class RemoteExecutor(ABC):
    """The three questions to an executor as one order each; a subclass says how a result comes by."""

    elsewhere = True  # programs are measured on other machines than the driver's

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        found = await self._measure(program, "evaluate" if decide is None else "rungs", None, decide, started)
        return found if isinstance(found, Outcome) else found.outcome(program.id)

    async def look(self, program: Program, look: Look, started: Callable[[], None] = unheard) -> Outcome:
        found = await self._measure(program, "look", look, None, started)
        return found if isinstance(found, Outcome) else found.outcome(program.id)

    async def offered(self, program: Program) -> tuple[Unit, ...]:
        found = await self._measure(program, "offer", None, None, unheard)
        if isinstance(found, Outcome):
            raise RunInterrupted(found.message)
        if found.refused:
            raise UserError(found.refused)
        return found.offered()

    @abstractmethod
    async def _measure(
        self,
        program: Program,
        kind: Kind,
        look: Look | None,
        decide: Decide | None,
        started: Callable[[], None],
    ) -> Outcome | Result:
        """A result; an outcome where the program cost too many of those that measure."""
