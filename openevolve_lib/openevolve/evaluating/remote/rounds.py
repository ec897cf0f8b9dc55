"""One look after the other at a shared folder, and what each tells those who wait for measurements."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openevolve.errors import RunInterrupted
from openevolve.evaluating.channel import Unusable
from openevolve.evaluating.remote.folder import FRONT, SharedFolder, order_of, worker_of
from openevolve.evaluating.remote.messages import Order, Result, RungFound
from openevolve.evaluating.remote.pulse import Watch
from openevolve.evaluating.remote.roll import Roll
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.records.progress import Progress

log = logging.getLogger("openevolve")

_MOST_INTERRUPTED = 3  # machines in turn that cannot measure an order, before the run is told so
_SILENCE = 10.0  # seconds without any worker, before the user is told
_AGAIN = 300.0  # ...and told again


@dataclass(frozen=True)
class Started:
    """A worker has begun."""


Event = Started | RungFound | Result | Outcome | Exception


@dataclass
class Waiting:
    """Somebody waits for an order's result."""

    order: Order
    program: Program
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)
    claim: str | None = None  # the latest
    rung: int = 0  # the last that the claim was answered for
    lost: int = 0  # claims whose worker vanished, or left what was no result
    interrupted: int = 0
    ended: bool = False

    def end(self, event: Event) -> None:
        if not self.ended:
            self.ended = True
            self.events.put_nowait(event)


class Rounds:
    """What the driver does with the folder while it waits; it alone moves what others have left there."""

    def __init__(
        self,
        folder: SharedFolder,
        roll: Roll,
        waiting: Mapping[str, Waiting],
        lease: float,
        most_lost: int,
        hint: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._roll = roll
        self._waiting = waiting
        self._lease = lease
        self._most_lost = most_lost
        self._hint = hint
        self._clock = clock
        self._nowhere = Watch(clock)
        self._leases_at = 0.0
        self._alone_since: float | None = None
        self._sequence = 0
        self.taken: deque[str] = deque()  # orders whose results were taken, the latest last

    def put(self, order: Order, *, front: bool = False) -> None:
        self._sequence += 1
        name = FRONT if front else f"{self._sequence:08d}"
        self._folder.write("queue", f"{name}-{order.id}", order.to_bytes())

    def look(self, tell: Callable[[Program, Progress], None]) -> None:
        """One look. What was left first is read last: who begins after a result is told of after it."""
        queued = {order_of(name) for name in self._folder.names("queue")}
        claims = {order_of(name): name.partition("@")[2] for name in self._folder.names("claimed")}
        rungs = self._folder.names("rungs")
        for order in self._folder.names("results"):
            if order in self._waiting:
                self._take(self._waiting[order], claims.get(order))
        for order, waiting in self._waiting.items():
            if waiting.ended:
                continue
            if (claim := claims.get(order)) and claim != waiting.claim:
                waiting.claim, waiting.rung = claim, 0
                waiting.events.put_nowait(Started())
            self._find_again(waiting, order in queued or order in claims)
        self._answer_rungs(rungs)
        if self._clock() - self._leases_at > self._lease / 10:
            self._leases_at = self._clock()
            self._end_leases(claims)
            self._pass_on_progress(tell)
            self._say_if_alone()

    def _take(self, waiting: Waiting, claim: str | None) -> None:
        order, text = waiting.order, self._folder.read("results", waiting.order.id)
        if text is None or waiting.ended:
            return
        try:
            result = Result.read(text)
            result.check(order)
            if self._roll.is_refused(result.worker):
                raise Unusable("expected a result of a worker that is trusted")
            if result.units is not None:
                result.offered()
        except Unusable as reason:
            self._refuse(waiting, "results", order.id, claim or waiting.claim, str(reason))
            return
        if result.interrupted:
            self._folder.remove("results", order.id)
            self._interrupted(waiting, result)
            return
        self._folder.move("results", order.id, "taken", order.id)
        self.taken.append(order.id)
        self._let_go(order.id, by=result.worker)
        waiting.end(result)

    def _let_go(self, order: str, by: str = "") -> None:
        """Nobody is to measure it any more."""
        for name in [name for name in self._folder.names("queue") if order_of(name) == order]:
            self._folder.remove("queue", name)
        for name in list(self._folder.claims_of(order)):
            if by and worker_of(name.partition("@")[2]) == by:
                self._folder.remove("claimed", name)
            else:
                self._folder.move("claimed", name, "withdrawn", name)

    def withdraw(self, order: str) -> list[str]:
        """End it wherever it is; the files that go once nothing of it is left."""
        self._let_go(order)
        return [name for name in self._folder.names("withdrawn") if order_of(name) == order]

    def _interrupted(self, waiting: Waiting, result: Result) -> None:
        log.warning("%s cannot measure: %s", result.host, result.interrupted)
        waiting.interrupted += 1
        if waiting.interrupted >= _MOST_INTERRUPTED:
            waiting.end(RunInterrupted(f"{result.host}: {result.interrupted}"))
        else:
            self.put(waiting.order, front=True)

    def _refuse(self, waiting: Waiting, part: str, name: str, claim: str | None, reason: str) -> None:
        """What was left is no result: another is to measure it, and who left it nothing more."""
        worker = worker_of(claim) if claim else "unknown"
        log.warning("worker %s: %s; it is refused, and another measures the program", worker, reason)
        self._folder.move(part, name, "unusable", f"{waiting.order.id}@{worker}")
        if claim:
            self._roll.refuse(worker, reason)
        self._let_go(waiting.order.id)
        self._lose(waiting, f"left no result that can be used ({reason})")

    def _lose(self, waiting: Waiting, what: str) -> None:
        waiting.lost += 1
        if waiting.lost < self._most_lost:
            self.put(waiting.order, front=True)
            return
        text = (
            f"expected a result, found that {waiting.lost} workers in turn did not give one; the last {what}"
        )
        waiting.end(Outcome(waiting.program.id, failure=FailureKind.CRASHED, message=text))

    def _find_again(self, waiting: Waiting, found: bool) -> None:
        """An order that is nowhere, for whatever reason, is put there again."""
        key = waiting.order.id
        if self._nowhere.silent(key, found) > self._lease and not found:
            self._nowhere.forget(key)
            self.put(waiting.order, front=True)

    def _answer_rungs(self, names: list[str]) -> None:
        asked = {waiting.claim: waiting for waiting in self._waiting.values() if waiting.claim}
        for name in names:
            claim, _, number = name.rpartition(".")
            waiting = asked.get(claim)
            if waiting is None or waiting.ended or not number.isdigit() or int(number) <= waiting.rung:
                continue
            text = self._folder.read("rungs", name)
            if text is None:
                continue
            try:
                found = RungFound.read(text)
                if found.number != int(number) or waiting.order.kind != "rungs":
                    raise Unusable(f"expected rung {number}, found {found.number}")
            except Unusable as reason:
                self._refuse(waiting, "rungs", name, claim, str(reason))
                continue
            waiting.rung = found.number
            waiting.events.put_nowait(found)

    def _end_leases(self, claims: Mapping[str, str]) -> None:
        for order, claim in claims.items():
            worker = worker_of(claim)
            if self._roll.silent(worker) <= self._lease or order not in self._waiting:
                continue
            waiting = self._waiting[order]
            log.warning(
                "worker %s: no sign of life for %g s; another measures the program", worker, self._lease
            )
            self._folder.remove("workers", f"{worker}.json")
            if self._folder.remove("claimed", f"{order}@{claim}"):
                self._lose(waiting, "vanished")

    def _pass_on_progress(self, tell: Callable[[Program, Progress], None]) -> None:
        programs = {waiting.program.id: waiting.program for waiting in self._waiting.values()}
        for beat in self._roll.alive().values():
            for program_id, (what, share) in beat.progress.items():
                if program_id in programs:
                    tell(programs[program_id], Progress(what[:200], share))

    def _say_if_alone(self) -> None:
        now = self._clock()
        if self._roll.alive():
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now - _AGAIN + _SILENCE
        elif now - self._alone_since > _AGAIN:
            self._alone_since = now
            log.warning(
                "no worker is there, and programs wait to be measured: start one with: %s", self._hint
            )
