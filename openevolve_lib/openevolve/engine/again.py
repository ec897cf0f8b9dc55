"""Further measurements of a program, asked for by a person while the run goes on."""

import asyncio
import logging
from collections import deque

from openevolve.engine.final import FinalStage
from openevolve.errors import UserError

log = logging.getLogger("openevolve")


class Again:
    """Does one after the other: which repeat is the next is then never in doubt."""

    def __init__(self, stage: FinalStage) -> None:
        self._stage = stage
        self._wanted: deque[str] = deque()  # program ids
        self._task: asyncio.Task[None] | None = None

    def ask(self, program_id: str) -> None:
        self._wanted.append(program_id)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What is under way; the next one begins where nothing is."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            if not task.cancelled():
                task.result()  # raises what nothing could mend
        if self._task is None and self._wanted:
            self._task = asyncio.create_task(self._measure(self._wanted.popleft()))
        return [] if self._task is None else [self._task]

    async def rest(self) -> None:
        """All that is still wanted."""
        while tasks := self.tasks():
            await asyncio.wait(tasks)

    def abort(self) -> None:
        self._wanted.clear()
        if self._task is not None:
            self._task.cancel()

    async def _measure(self, program_id: str) -> None:
        try:
            await self._stage.again(program_id)
        except UserError as error:  # the evaluator offers nothing that can be measured again
            log.warning("measure %s: %s", program_id, error)
