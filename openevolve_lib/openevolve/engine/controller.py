"""The loop: it schedules iterations, and knows none of the rules by which their steps are taken."""

import asyncio
from collections import deque
from typing import Protocol

from openevolve.engine.again import Again
from openevolve.engine.final import FinalStage
from openevolve.engine.iteration import Steps
from openevolve.engine.looks import FurtherLooks
from openevolve.engine.recorder import Recorder
from openevolve.llm.base import ModelUnreachable
from openevolve.llm.calls import ProviderFailed
from openevolve.records.program import FailureKind
from openevolve.records.request import Request, Wish
from openevolve.search.stopping import Stopping
from openevolve.settings.files import public_settings
from openevolve.settings.models import Config
from openevolve.state.requests import Requests, limited
from openevolve.state.state import JOURNAL_VERSION, State

_POLL = 0.5  # seconds between looks at what was asked
_MOST_OUTAGES = 50  # of one iteration in a row: a model that waits for itself has given up long before


class Room(Protocol):
    """An executor, as far as the loop knows it."""

    @property
    def slots(self) -> int:
        """So many evaluations run at once, now."""
        ...


class Controller:
    """Runs iterations until enough are done, a limit is reached or it is asked to stop.

    An iteration is a task of its own, so that proposals are written while programs are measured. As many
    are under way as there are slots, and ``proposals_ahead`` more. In deterministic mode they count in the
    order of their numbers, and an iteration is chosen once exactly so many count as ``lag`` says: then what
    it is chosen from depends on the seed alone, and not on the number or the speed of slots.
    """

    def __init__(
        self,
        config: Config,
        steps: Steps,
        room: Room,
        state: State,
        record: Recorder,
        stopping: Stopping,
        looks: FurtherLooks,
        final: FinalStage,
        requests: Requests | None = None,
    ) -> None:
        self.config = config
        self.state = state
        self.record = record
        self.stopping = stopping
        self._looks = looks
        self._final = final
        self._again = Again(final)
        self._requests = requests
        self._steps = steps
        self._room = room
        self._queue: deque[int] = deque()  # chosen, not begun
        self._running: dict[int, asyncio.Task[None]] = {}
        self._reflecting: dict[int, asyncio.Task[None]] = {}
        self._outages: dict[int, int] = {}  # in a row, by iteration
        self._unreachable: ModelUnreachable | None = None

    async def run(self, initial_code: str) -> str:
        """Run to the end and return why it ended: ``completed``, or what stopped it.

        Raises:
            UserError: what no later iteration could mend (a full disk, a refused key, no answer).
        """
        self._open(initial_code)
        await self._looks.prepare(initial_code)
        try:
            while True:
                self._take_requests()
                self._commit_ready()
                self._begin()
                if self._running or self._reflecting or self._measured_again():
                    await self._wait()
                elif self._held():
                    await asyncio.sleep(_POLL)
                else:
                    break
        finally:
            await self._abandon()
        if self._unreachable:
            raise self._unreachable
        await self._final.run(self._take_requests)
        await self._again.rest()
        reason = self.stopping.reason or self._how_it_ended()
        self.record("run_finished", sync=True, reason=reason)
        return reason

    def stop(self, reason: str) -> None:
        """Begin nothing new and finish the evaluations that are running; the rest waits for a resume."""
        self.stopping.ask(reason)
        for iteration, task in [*self._running.items(), *self._reflecting.items()]:
            if iteration not in self.state.measuring:
                task.cancel()
        self._looks.stop()
        self._final.stop()

    def abort(self, reason: str) -> None:
        """End what is running as well; a resume does it again."""
        self.stopping.ask(reason)
        for task in [*self._running.values(), *self._reflecting.values()]:
            task.cancel()
        self._looks.abort()
        self._final.abort()
        self._again.abort()

    def _take_requests(self) -> None:
        if self._requests is not None:
            self._requests.take(self._answer)

    def _answer(self, request: Request) -> None:
        """Do what somebody asked."""
        self.record("asked", request=request.to_json())
        if request.what is Wish.STOP:
            self.stop("stopped at a request")
        elif request.what is Wish.LIMIT:
            self.config = limited(self.config, request)
            self.stopping.limit(self.config.budget)
        elif request.what is Wish.MEASURE:
            self._again.ask(request.key)

    def _measured_again(self) -> list[asyncio.Task[None]]:
        return [*self._looks.tasks, *self._again.tasks()]

    def _held(self) -> bool:
        """Whether there is more to do, and a pause keeps it from being done."""
        more = self._queue or (
            self.state.committed and self.state.next_iteration <= self.config.max_iterations
        )
        return bool(self.state.paused and more and not self._limited())

    def _open(self, initial_code: str) -> None:
        settings = public_settings(self.config)
        self.record("run_started", version=JOURNAL_VERSION, initial_code=initial_code, settings=settings)
        self._steps.migrate()  # where an earlier session was ended before it could
        known = range(self.state.next_iteration)
        self._queue = deque(i for i in known if i not in self.state.outcomes)
        if 0 not in self.state.outcomes and 0 not in self._queue:
            self._queue.appendleft(0)
        if self._steps.reflects:
            self._reflect_on_latest()

    def _reflect_on_latest(self) -> None:
        """What an earlier session committed and had no time to digest."""
        for iteration in self.state.committed[-self._most_under_way :]:
            if iteration not in self.state.reviews:
                self._reflect(iteration)

    @property
    def _most_under_way(self) -> int:
        return self._room.slots + self.config.proposals_ahead

    def _commit_ready(self) -> None:
        """Let outcomes count, and choose after each what may be chosen from what counts then."""
        self._look_further()
        self._choose()
        while (iteration := self._ready()) is not None:
            self._commit(iteration)
            self._look_further()
            self._choose()

    def _look_further(self) -> None:
        """Choose what is worth another look, now that so much counts; a resumed run makes up for it."""
        if self.state.committed and (self.config.deterministic or not self._limited()):
            self._looks.decide()

    def _ready(self) -> int | None:
        """The outcome that counts next: in deterministic mode by its number, else the first to finish."""
        if not self.config.deterministic:
            return next(iter(self.state.pending), None)
        iteration = len(self.state.committed)
        held = self._reflecting or self.state.measurements.due
        return iteration if iteration in self.state.pending and not held else None

    def _commit(self, iteration: int) -> None:
        self._steps.commit(iteration)
        if self._steps.reflects:
            self._reflect(iteration)

    def _reflect(self, iteration: int) -> None:
        if iteration > 0 and self._steps.reflects_on(iteration) and not self.stopping.asked:
            self._reflecting[iteration] = asyncio.create_task(self._steps.reflect(iteration))

    def _choose(self) -> None:
        while self._may_choose():
            iteration = self.state.next_iteration
            self._steps.choose(iteration)
            self._queue.append(iteration)

    def _may_choose(self) -> bool:
        """Whether the next iteration is to be chosen now."""
        committed = len(self.state.committed)
        iteration = self.state.next_iteration
        if committed == 0 or iteration > self.config.max_iterations:
            return False  # nothing to choose from before the initial program has its score
        if self.config.deterministic:  # whatever the limits: a resumed run chooses what this one would have
            return iteration <= committed + self.config.lag and not self._reflecting
        waits = self.state.paused or self._limited()
        return len(self._running) + len(self._queue) < self._most_under_way and not waits

    def _limited(self) -> bool:
        return self.stopping.asked or self.stopping.reached(self.record.elapsed())

    def _begin(self) -> None:
        held = self.stopping.asked or self.state.paused
        if not held:
            self._looks.begin()
        while self._queue and len(self._running) < self._most_under_way and not held:
            begun_before = self._queue[0] in self.state.programs  # a limit does not take it back
            last = self._limited() or self.stopping.leaves_no_evaluation(len(self._running))
            if not begun_before and self._queue[0] > 0 and last:
                break
            iteration = self._queue.popleft()
            self._running[iteration] = asyncio.create_task(self._steps.obtain(iteration))

    async def _wait(self) -> None:
        """Until something has ended, ``budget.hours`` are up, or it is time to look what was asked."""
        tasks = [*self._running.values(), *self._reflecting.values(), *self._measured_again()]
        left = self._seconds_left()
        patience = _POLL if left is None else min(left, _POLL)
        done, _ = await asyncio.wait(tasks, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not done and left is not None and left <= _POLL:
            self.stopping.reached(self.record.elapsed())
            self.stop(self.stopping.reason or "budget.hours reached")
        self._gather(self._running)
        self._gather(self._reflecting)
        self._looks.gather()

    def _seconds_left(self) -> float | None:
        if self.config.budget.hours is None or self.stopping.asked:
            return None
        return max(0.0, self.config.budget.hours * 3600 - self.record.elapsed())

    def _gather(self, tasks: dict[int, asyncio.Task[None]]) -> None:
        for iteration in [i for i, task in tasks.items() if task.done()]:
            task = tasks.pop(iteration)
            if task.cancelled():
                continue
            error = task.exception()
            if isinstance(error, ProviderFailed) and self._outages.get(iteration, 0) < _MOST_OUTAGES:
                self._outages[iteration] = self._outages.get(iteration, 0) + 1
                self._queue.appendleft(iteration)
            elif isinstance(error, ModelUnreachable):
                self._unreachable = self._unreachable or error
                self.stop("the language model does not answer")
            else:
                task.result()  # raises what no later iteration could mend

    def _how_it_ended(self) -> str:
        outcomes = [outcome for iteration, outcome in self.state.outcomes.items() if iteration]
        if outcomes and all(outcome.failure is FailureKind.PROPOSAL_INVALID for outcome in outcomes):
            return "no proposal could be used"
        return "completed"

    async def _abandon(self) -> None:
        """End what is still under way; the journal knows that it has no outcome."""
        tasks = [*self._running.values(), *self._reflecting.values(), *self._looks.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
