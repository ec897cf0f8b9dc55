"""Evaluations by workers on any machine that shares a folder with the driver (``openevolve worker RUN``)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from openevolve.errors import RunInterrupted
from openevolve.evaluating.channel import Decide
from openevolve.evaluating.executor import Hear, Look, Site, unheard_progress
from openevolve.evaluating.remote.asking import RemoteExecutor
from openevolve.evaluating.remote.carrying import protocol_of, verdict_of
from openevolve.evaluating.remote.folder import PARTS, SharedFolder
from openevolve.evaluating.remote.messages import DriverBeat, Kind, Order, Result, RungFound
from openevolve.evaluating.remote.pulse import Pulse
from openevolve.evaluating.remote.roll import Roll
from openevolve.evaluating.remote.rounds import Rounds, Waiting
from openevolve.records.program import Outcome, Program
from openevolve.settings.models import Positive, Section
from openevolve.settings.registry import strategy

_POLL = 0.02  # seconds between looks at the folder
_KEPT = 1000  # results taken that stay: what was taken before them is in the journal
_END_SECONDS = 10.0  # that a withdrawn evaluation may take to end


@strategy("executor", "workers")
class WorkersExecutor(RemoteExecutor):
    """Puts orders into a folder and takes results out of it; what is measured next is decided here alone."""

    class Settings(Section):
        """``strategies.workers``"""

        folder: Path | None = None  # shared with the workers; None: workers/ beside the run's journal
        lease: Positive = 30.0  # seconds without a sign of life, after which others get a worker's orders
        most_lost: Annotated[int, Field(ge=1)] = 10  # workers lost by one program: then it has failed

    @classmethod
    def build(cls, site: Site, settings: "WorkersExecutor.Settings") -> "WorkersExecutor":
        return cls(site, settings)

    def __init__(self, site: Site, settings: "WorkersExecutor.Settings") -> None:
        """Raises RunInterrupted where the folder cannot be written."""
        self.told: Hear = unheard_progress
        self._lease = settings.lease
        self._folder = SharedFolder(settings.folder or site.folder / "workers")
        protocol = protocol_of(site)
        self._protocol, self._session = protocol.digest(), uuid4().hex
        self._closed = False
        self._waiting: dict[str, Waiting] = {}
        self._asked: Counter[str] = Counter()  # how often this session has asked for a measurement
        self._watching: asyncio.Task[None] | None = None
        self._roll = Roll(self._folder, self._protocol, settings.lease)
        hint = f"{site.worker} {settings.folder or site.folder}"
        self._rounds = Rounds(
            self._folder, self._roll, self._waiting, settings.lease, settings.most_lost, hint
        )
        self._pulse = Pulse(self._beat, settings.lease / 5)
        try:
            self._folder.make()
            self._clear(everything=not site.resumed)
            self._folder.write("", "protocol.json", protocol.to_bytes())
            self._pulse.start()
        except OSError as error:
            raise self._no_folder(error) from None

    @property
    def slots(self) -> int:
        """Of all workers that are alive; 1 where none is, so that something waits for the first."""
        return max(1, self._roll.slots())

    async def _measure(
        self,
        program: Program,
        kind: Kind,
        look: Look | None,
        decide: Decide | None,
        started: Callable[[], None],
    ) -> Outcome | Result:
        first = Order.of(self._protocol, kind, program, look, 0)
        order = Order.of(self._protocol, kind, program, look, self._asked[first.id])
        self._asked[first.id] += 1
        waiting = self._waiting[order.id] = Waiting(order, program)
        try:
            self._put(order)
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._watch())
            return await self._result(waiting, decide, started)
        except asyncio.CancelledError:
            await self._withdraw(order.id)
            raise
        except OSError as error:
            raise self._no_folder(error) from None
        finally:
            del self._waiting[order.id]
            self._forget_old_results()

    async def _result(
        self, waiting: Waiting, decide: Decide | None, started: Callable[[], None]
    ) -> Outcome | Result:
        begun = False
        while True:
            event = await waiting.events.get()
            if isinstance(event, Exception):
                raise event
            if not begun:  # told once, whatever became of the first worker
                begun = True
                started()
            if isinstance(event, Outcome | Result):
                return event
            if isinstance(event, RungFound) and decide is not None:
                verdict = verdict_of(decide, event.rung())
                self._folder.write("verdicts", f"{waiting.claim}.{event.number}", verdict.to_bytes())

    def _put(self, order: Order) -> None:
        """Unless an earlier session has done so, and it is still there, under way, or done."""
        if self._folder.move("taken", order.id, "results", order.id):
            return
        if self._folder.path("results", order.id).exists() or list(self._folder.claims_of(order.id)):
            return
        self._rounds.put(order)

    async def _watch(self) -> None:
        """Look at the folder while anybody waits."""
        while self._waiting:
            try:
                self._rounds.look(self.told)
            except OSError as error:
                for waiting in self._waiting.values():
                    waiting.end(self._no_folder(error))
            await asyncio.sleep(_POLL)

    async def _withdraw(self, order: str) -> None:
        """End it, and wait until nothing of it is left, unless its worker is gone."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(min(_END_SECONDS, self._lease)):
                while self._rounds.withdraw(order):
                    await asyncio.sleep(_POLL)

    def _forget_old_results(self) -> None:
        taken = self._rounds.taken
        with suppress(OSError):
            while len(taken) > _KEPT:
                self._folder.remove("taken", taken.popleft())

    def _clear(self, everything: bool) -> None:
        """Orders that wait will be asked for again; a new run wants nothing of an older one."""
        for name in self._folder.names("queue"):
            self._folder.remove("queue", name)
        if not everything:
            return
        for name in self._folder.names("claimed"):
            self._folder.move("claimed", name, "withdrawn", name)
        for part in set(PARTS) - {"workers", "claimed", "withdrawn", "drafts"}:
            for name in self._folder.names(part):
                self._folder.remove(part, name)

    def _beat(self, number: int) -> None:
        beat = DriverBeat(
            beat=number,
            session=self._session,
            protocol=self._protocol,
            lease=self._lease,
            closed=self._closed,
        )
        self._folder.write("", "driver.json", beat.to_bytes())

    def _no_folder(self, error: OSError) -> RunInterrupted:
        return RunInterrupted(
            f"{self._folder.root}: expected a folder for orders and results that can be written, found: "
            f"{error.strerror}. Mend this and resume."
        )

    def close(self) -> None:
        """Tell workers that this session is over; what is under way is ended."""
        if self._closed:
            return
        self._closed = True
        self._pulse.stop()
        with suppress(OSError):
            self._clear(everything=False)
            for name in self._folder.names("claimed"):
                self._folder.move("claimed", name, "withdrawn", name)
            self._pulse.now()
