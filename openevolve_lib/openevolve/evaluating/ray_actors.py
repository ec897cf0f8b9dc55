"""Evaluations on a Ray cluster: an actor for each slot, which carries out orders as a worker does."""

import asyncio
import importlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

from pydantic import Field

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.channel import Decide, Unusable
from openevolve.evaluating.executor import Hear, Look, Site, unheard, unheard_progress
from openevolve.evaluating.isolation import clean_environment
from openevolve.evaluating.remote.asking import RemoteExecutor
from openevolve.evaluating.remote.carrying import (
    Machine,
    carry_out,
    check_protocol,
    local_executor,
    protocol_of,
    verdict_of,
)
from openevolve.evaluating.remote.messages import Kind, Order, Protocol, Result, RungFound, Verdict
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.settings.models import Positive, Section
from openevolve.settings.registry import strategy

_POLL = 0.02  # seconds between looks whether a slot is free
_END_SECONDS = 10.0  # that an evaluation may take to end
# Ray would kill an ended actor's fork server before that has killed what programs have started.
_LEAVE_CHILDREN = "RAY_kill_child_processes_on_worker_exit"


class Measurer:
    """The actor: one slot on some node. What it is given and gives are the messages of workers, as bytes."""

    def __init__(self, protocol: bytes, devices: list[str]) -> None:
        self._protocol = Protocol.read(protocol)
        self._devices = devices or list(filter(None, os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")))
        self._task: asyncio.Task[Result] | None = None
        self._verdicts: asyncio.Queue[bytes] = asyncio.Queue()
        self._executor: Any = None

    async def prepare(self) -> str:
        """Why this node must not measure; empty where it may."""
        try:
            check_protocol(self._protocol)
            module, _, name = self._protocol.prepare.partition(":")
            prepare = getattr(importlib.import_module(module), name)
            await asyncio.to_thread(prepare, self._protocol, Machine(1, tuple(self._devices)))
            self._executor = local_executor(self._protocol, 1, self._devices)
        except UserError as error:
            return str(error)
        return ""

    async def measure(self, order: bytes) -> AsyncIterator[bytes]:
        """A message for each rung, each to be answered; at the end the result."""
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._verdicts = asyncio.Queue()

        async def ask(found: RungFound) -> Verdict:
            events.put_nowait(found.to_bytes())
            return Verdict.read(await self._verdicts.get())

        self._task = asyncio.create_task(carry_out(self._executor, Order.read(order), ask, str(os.getpid())))
        self._task.add_done_callback(lambda _: events.put_nowait(None))
        while (event := await events.get()) is not None:
            yield event
        if not self._task.cancelled():
            yield self._task.result().to_bytes()

    async def answer(self, verdict: bytes) -> None:
        self._verdicts.put_nowait(verdict)

    async def end(self) -> None:
        """End what is being measured, and wait until nothing of it is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def close(self) -> None:
        await self.end()
        if self._executor is not None:
            self._executor.close()


@strategy("executor", "ray")
class RayExecutor(RemoteExecutor):
    """As many actors as the cluster has room for. One that is lost is replaced, on whatever node is left."""

    class Settings(Section):
        """``strategies.ray``"""

        address: str | None = None  # auto, or of a cluster; None: a Ray of its own on this machine
        num_cpus: Positive = 1  # of a slot
        num_gpus: Annotated[float, Field(ge=0)] = 0  # of a slot; 0.25: four programs share a card
        most: Annotated[int, Field(ge=1)] = 1000  # slots at once
        most_lost: Annotated[int, Field(ge=1)] = 10  # actors lost by one program: then it has failed

    @classmethod
    def build(cls, site: Site, settings: "RayExecutor.Settings") -> "RayExecutor":
        return cls(site, settings)

    def __init__(self, site: Site, settings: "RayExecutor.Settings") -> None:
        """Raises UserError where Ray is not installed or there is no cluster at the address."""
        self.told: Hear = unheard_progress
        self._site = site
        self._settings = settings
        self._ray = _ray()
        protocol = protocol_of(site)
        self._message, self._protocol = protocol.to_bytes(), protocol.digest()
        self._line: deque[object] = deque()  # who waits for a slot, in turn
        self._busy: set[int] = set()
        self._idle: dict[int, Any] = {}  # actors by slot
        self._asked = 0
        self._own = not self._ray.is_initialized()
        if self._own:
            self._begin()

    def _begin(self) -> None:
        given: dict[str, Any] = {"address": self._settings.address or "local"}
        if not self._settings.address:
            given["num_cpus"] = self._site.config.parallel_evaluations * self._settings.num_cpus
        try:
            with _without_keys():  # a Ray of its own inherits them, and its actors after it
                self._ray.init(**given, include_dashboard=False, log_to_driver=False, configure_logging=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            place = self._settings.address or "this machine"
            raise UserError(
                f"strategies.ray.address: expected a Ray cluster at {place}, found none: {error}. "
                "Start one with: ray start --head"
            ) from None

    @property
    def slots(self) -> int:
        """As many as the nodes that are alive have room for; of a Ray of its own parallel_evaluations."""
        if self._settings.address is None:
            return min(self._site.config.parallel_evaluations, self._settings.most)
        found = self._ray.cluster_resources()
        rooms = [found.get("CPU", 0) / self._settings.num_cpus]
        if self._settings.num_gpus:
            rooms.append(found.get("GPU", 0) / self._settings.num_gpus)
        return max(1, min(int(min(rooms)), self._settings.most))

    async def _measure(
        self,
        program: Program,
        kind: Kind,
        look: Look | None,
        decide: Decide | None,
        started: Callable[[], None],
    ) -> Outcome | Result:
        self._asked += 1
        order = Order.of(self._protocol, kind, program, look, self._asked)
        slot = await self._free_slot()
        try:
            begun, lost = started, ""
            for _ in range(self._settings.most_lost):
                try:
                    return await self._on(slot, order, decide, begun)
                except (self._ray.exceptions.RayError, Unusable) as error:
                    begun, lost = unheard, f"{type(error).__name__}: {error}".partition("\n")[0]
                    self._drop(slot)
            text = (
                f"expected a result, found that {self._settings.most_lost} actors in turn gave none: {lost}"
            )
            return Outcome(program.id, failure=FailureKind.CRASHED, message=text)
        finally:
            self._busy.remove(slot)

    async def _free_slot(self) -> int:
        ticket = object()
        self._line.append(ticket)
        try:
            while self._line[0] is not ticket or len(self._busy) >= self.slots:
                await asyncio.sleep(_POLL)
            slot = next(number for number in range(len(self._busy) + 1) if number not in self._busy)
            self._busy.add(slot)
            return slot
        finally:
            self._line.remove(ticket)

    async def _on(
        self, slot: int, order: Order, decide: Decide | None, started: Callable[[], None]
    ) -> Result:
        """Raises RayError where the actor is lost, and Unusable for what is no result."""
        actor = await self._actor(slot)
        started()
        try:
            async for reference in actor.measure.options(num_returns="streaming").remote(order.to_bytes()):
                message = await reference
                if message.startswith(b'{"number":') and decide is not None:
                    verdict = verdict_of(decide, RungFound.read(message).rung())
                    await actor.answer.remote(verdict.to_bytes())
                    continue
                result = Result.read(message)
                result.check(order)
                if result.interrupted:
                    raise RunInterrupted(f"{result.host}: {result.interrupted}")
                return result
        except asyncio.CancelledError:
            try:
                async with asyncio.timeout(_END_SECONDS):
                    await actor.end.remote()
            except (self._ray.exceptions.RayError, TimeoutError):
                self._drop(slot)
            raise
        raise Unusable("expected a result, found none")

    async def _actor(self, slot: int) -> Any:
        """That of a slot, ready to measure; where no node has room for one, it is waited for."""
        if slot not in self._idle:
            device = self._site.config.device(slot)
            made = self._ray.remote(Measurer).options(
                num_cpus=self._settings.num_cpus,
                num_gpus=self._settings.num_gpus,
                runtime_env={"env_vars": {_LEAVE_CHILDREN: "false"}},
            )
            actor = made.remote(self._message, [device] if device else [])
            if problem := await actor.prepare.remote():
                self._ray.kill(actor)
                raise UserError(f"a node of the cluster must not measure: {problem}")
            self._idle[slot] = actor
        return self._idle[slot]

    def _drop(self, slot: int) -> None:
        """End a slot's actor, and with it all that it started."""
        if (actor := self._idle.pop(slot, None)) is not None:
            self._ray.kill(actor)

    def close(self) -> None:
        actors, self._idle = list(self._idle.values()), {}
        with suppress(Exception):  # a cluster that is gone has nothing left to end
            self._ray.get([actor.close.remote() for actor in actors], timeout=_END_SECONDS)
        for actor in actors:
            with suppress(Exception):
                self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()


def _ray() -> Any:
    # Under ``uv run`` Ray would copy the working folder to every node and build an environment there: actors
    # measure by the project that is at the same path everywhere, which check_protocol sees to.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            f"executor: expected Ray for ray, found: {error}; "
            "install it: pip install -e 'openevolve_lib[ray]'"
        ) from None


@contextmanager
def _without_keys() -> Iterator[None]:
    """The short list of variables that evaluations get, for as long as the block lasts."""
    everything = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment() | {_LEAVE_CHILDREN: "false"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(everything)
