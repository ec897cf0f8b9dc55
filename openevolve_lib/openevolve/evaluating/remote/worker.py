"""The loop of a worker: it claims orders from a shared folder, carries them out and leaves results there."""

import asyncio
import os
import platform
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from openevolve.errors import UserError
from openevolve.evaluating.channel import Unusable
from openevolve.evaluating.local import LocalExecutor
from openevolve.evaluating.remote.carrying import carry_out
from openevolve.evaluating.remote.folder import FRONT, SharedFolder, order_of
from openevolve.evaluating.remote.messages import DriverBeat, Order, Result, RungFound, Verdict, WorkerBeat
from openevolve.evaluating.remote.pulse import Pulse, Watch
from openevolve.records.program import Program
from openevolve.records.progress import Progress

_POLL = 0.02  # seconds between looks at the folder, and...
_MOST_POLL = 0.2  # ...where nothing has come for a while
_PROGRESS_SECONDS = 1.0
_WRITES = 60  # tries, a second apart, to write a result to a folder that is full or away


@dataclass
class _Running:
    order: Order
    claim: str
    task: "asyncio.Task[None]"

    @property
    def file(self) -> str:
        return f"{self.order.id}@{self.claim}"


class Worker:
    """One session with one protocol, from the first claim until there is a reason to end."""

    def __init__(
        self,
        folder: SharedFolder,
        protocol: str,
        executor: LocalExecutor,
        patience: float,
        met: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``protocol``: its digest. ``patience``: seconds to wait for a driver that is gone. ``met``: whether
        one was there when this machine made itself ready: then the end of its session is this one's too.
        """
        host = "".join(c if c.isalnum() else "-" for c in platform.node())
        self.name = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.done = 0
        self._folder = folder
        self._protocol = protocol
        self._executor = executor
        self._patience = patience
        self._driver: DriverBeat | None = None
        self._met = met
        self._watch = Watch(clock)
        self._silent = 0.0
        self._running: dict[str, _Running] = {}
        self._progress: dict[str, tuple[str, float | None]] = {}
        self._told_at = 0.0
        self._claims = 0
        self._idle = _POLL
        self._stopping = ""
        executor.told = self._told

    def stop(self, reason: str) -> None:
        """Claim nothing more, and end once what runs is finished."""
        self._stopping = reason

    async def run(self) -> str:
        """Work until there is a reason to end, and return it; what is not finished is given back.

        Raises UserError where this machine cannot measure, or the driver refuses what it did.
        """
        self._look_at_driver()
        pulse = self._pulse = Pulse(self._beat, (self._driver.lease if self._driver else 10.0) / 5)
        pulse.start()
        try:
            while True:
                self._look_at_driver()
                self._end_withdrawn()
                why = self._why_end()
                if why and not self._running:
                    return why
                if not why and self._silent < self._lease:
                    self._claim()
                await self._pause()
                self._gather()
        finally:
            await self._abandon()
            pulse.stop()
            self._folder.remove("workers", f"{self.name}.json")

    @property
    def _lease(self) -> float:
        return self._driver.lease if self._driver else 0.0

    def _look_at_driver(self) -> None:
        try:
            self._driver = DriverBeat.read(self._folder.read("", "driver.json") or b"")
        except Unusable:
            pass  # as before
        driver = self._driver
        self._silent = self._watch.silent("driver", driver and (driver.session, driver.beat))
        if driver is not None and not driver.closed and driver.beat and self._silent == 0:
            self._met = True

    def _why_end(self) -> str:
        refusal = self._folder.read("workers", f"{self.name}.refused")
        if refusal is not None:
            raise UserError(f"the driver refuses this worker: {refusal.decode(errors='replace')}")
        if self._stopping:
            return self._stopping
        if self._driver and self._driver.protocol != self._protocol:
            return "another protocol"
        if self._driver and self._driver.closed and self._met:
            return "the run's session has ended"
        if self._silent > self._patience:
            return f"no driver for {self._patience:g} s"
        return ""

    def _end_withdrawn(self) -> None:
        for running in self._running.values():
            if not self._folder.path("claimed", running.file).exists():
                running.task.cancel()

    def _claim(self) -> None:
        """Fill the free slots."""
        for name in self._folder.names("queue") if len(self._running) < self._executor.slots else ():
            self._claims += 1
            claim = f"{self.name}.{self._claims}"
            file = f"{order_of(name)}@{claim}"
            if not self._folder.move("queue", name, "claimed", file):
                continue  # another was faster
            self._idle = _POLL
            self._begin(file, claim)
            if len(self._running) >= self._executor.slots:
                break

    def _begin(self, file: str, claim: str) -> None:
        try:
            order = Order.read(self._folder.read("claimed", file) or b"")
            if order.protocol != self._protocol or order.id != order_of(file):
                raise Unusable("expected an order of this protocol")
        except Unusable:
            self._folder.move("claimed", file, "unusable", file)
            return
        task = asyncio.create_task(self._carry_out(order, claim))
        self._running[claim] = _Running(order, claim, task)

    async def _carry_out(self, order: Order, claim: str) -> None:
        file = f"{order.id}@{claim}"
        ask = partial(self._ask, claim)
        try:
            result = await carry_out(self._executor, order, ask, self.name)
            await self._leave(result)
            self.done += 1
        except asyncio.CancelledError:
            self._folder.move("claimed", file, "queue", f"{FRONT}-{order.id}")
            raise
        finally:
            self._folder.remove("claimed", file)
            self._folder.remove("withdrawn", file)
            self._progress.pop(str(order.program["id"]), None)
        if result.interrupted:
            raise UserError(result.interrupted)

    async def _leave(self, result: Result) -> None:
        """Raises UserError where the folder takes no result."""
        for _ in range(_WRITES):
            try:
                return self._folder.write("results", result.order, result.to_bytes(), lasting=True)
            except OSError as error:
                found = error.strerror
            await asyncio.sleep(1)
        raise UserError(f"{self._folder.root}: expected room for a result, found: {found}")

    async def _ask(self, claim: str, found: RungFound) -> Verdict:
        """The driver's verdict, however long it takes: a driver that was killed may be resumed."""
        name = f"{claim}.{found.number}"
        self._folder.write("rungs", name, found.to_bytes())
        try:
            while (answer := self._folder.read("verdicts", name)) is None:
                await asyncio.sleep(_POLL)
            return Verdict.read(answer)
        finally:
            self._folder.remove("rungs", name)
            self._folder.remove("verdicts", name)

    async def _pause(self) -> None:
        """Until an evaluation ends, or it is time to look again."""
        free = len(self._running) < self._executor.slots
        seconds = self._idle if free else _MOST_POLL / 2
        self._idle = min(_MOST_POLL, self._idle * 1.2)
        if self._running:
            tasks = [running.task for running in self._running.values()]
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    def _gather(self) -> None:
        for claim in [claim for claim, running in self._running.items() if running.task.done()]:
            task = self._running.pop(claim).task
            if not task.cancelled():
                task.result()

    async def _abandon(self) -> None:
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, program: Program, progress: Progress) -> None:
        self._progress[program.id] = (progress.what, progress.share)
        if time.monotonic() - self._told_at > _PROGRESS_SECONDS:
            self._told_at = time.monotonic()
            self._pulse.now()

    def _beat(self, number: int) -> None:
        beat = WorkerBeat(
            beat=number, slots=self._executor.slots, host=platform.node(), pid=os.getpid(),
            protocol=self._protocol, progress=dict(self._progress),
        )  # fmt: skip
        self._folder.write("workers", f"{self.name}.json", beat.to_bytes())
