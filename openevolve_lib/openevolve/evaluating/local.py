"""Evaluations in local processes: one at a time on each slot, each slot bound to a device."""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.channel import Conversation, Decide, Report, Unusable
from openevolve.evaluating.executor import Hear, Look, Site, unheard, unheard_progress
from openevolve.evaluating.imports import preloadable
from openevolve.evaluating.isolation import Child, Exit, ForkServer, Request, Walls
from openevolve.evaluating.isolation.client import parse_exit
from openevolve.evaluating.isolation.level import environment_of
from openevolve.evaluating.isolation.scratch import remove_tree
from openevolve.evaluating.remedies import with_remedy
from openevolve.evaluation_result import EvaluationFailed
from openevolve.records.measurement import Unit
from openevolve.records.program import FailureKind, Outcome, Program, Rung
from openevolve.settings.models import EvaluatorConfig
from openevolve.settings.registry import strategy

_TAIL_BYTES = 4000
_OFFER_SECONDS = 300.0
_GRACE_SECONDS = 1.0  # between the signals that a batch scheduler sends to the processes of one job


@dataclass(frozen=True)
class _Job:
    """What a process of its own is to do with a program: evaluate it in full, unless it says otherwise."""

    decide: Decide | None = None
    look: Look | None = None
    offer: bool = False


@strategy("executor", "local")
class LocalExecutor:
    """A process for each evaluation, forked from a server that has imported ``preload``."""

    def __init__(
        self,
        config: EvaluatorConfig,
        evaluator: Path,
        *,
        file_suffix: str = ".py",
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        walls: Walls | None = None,
    ) -> None:
        """``walls`` stand around evaluations; without them an evaluator may start candidates of its own."""
        self.slots = config.parallel_evaluations
        self.told: Hear = unheard_progress
        self._config = config
        self._evaluator = evaluator
        self._suffix = file_suffix
        self._environment = dict(environment or {})
        self._walls = walls
        named = ["openevolve.evaluating.child", *config.preload, *preload]
        self._preload = list(dict.fromkeys([*named, *preloadable(evaluator)]))
        self._server = self._new_server()
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(self.slots):
            self._free.put_nowait(slot)

    @classmethod
    def build(cls, site: Site, settings: object) -> "LocalExecutor":
        return cls(
            site.config,
            site.evaluator,
            file_suffix=site.file_suffix,
            environment=site.environment,
            walls=site.walls,
        )

    def _new_server(self) -> ForkServer:
        inherited = environment_of(self._config.isolation, self._config.pass_environment)
        try:
            return ForkServer(self._preload, inherited | self._environment)
        except OSError as error:
            raise _no_room(error) from None

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        return await self._on_a_slot(program, _Job(decide), started)

    async def look(self, program: Program, look: Look, started: Callable[[], None] = unheard) -> Outcome:
        return await self._on_a_slot(program, _Job(look=look), started)

    async def offered(self, program: Program) -> tuple[Unit, ...]:
        outcome = await self._on_a_slot(program, _Job(offer=True), unheard)
        if outcome.failure:
            raise UserError(outcome.message)
        try:
            return tuple(Unit.from_json(unit) for unit in json.loads(outcome.artifacts["units"]))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{self._evaluator}: expected units() to return mappings with name and group, and perhaps "
                f"cost, proxy, repeats and metric, found: {error}"
            ) from None

    async def _on_a_slot(self, program: Program, job: "_Job", started: Callable[[], None]) -> Outcome:
        slot = await self._free.get()
        try:
            started()
            for _ in range(self._config.max_retries + 1):
                outcome = await self._attempt(program, slot, job)
                if outcome.failure not in (FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY):
                    break
            return outcome
        finally:
            self._free.put_nowait(slot)

    async def _attempt(self, program: Program, slot: int, job: "_Job") -> Outcome:
        if self._server.ended():
            self._server.close()
            self._server = self._new_server()
        with suppress(ConnectionError):
            return await self._run(program, slot, job, self._server)
        # The loss of the server may be another program's doing. It is this one's if it happens alone.
        own = self._new_server()
        try:
            with suppress(ConnectionError):
                return await self._run(program, slot, job, own)
        finally:
            own.close()
        text = "expected a result, found that the program ended the fork server that started it"
        return Outcome(program.id, failure=FailureKind.CRASHED, message=text)

    async def _run(self, program: Program, slot: int, job: "_Job", server: ForkServer) -> Outcome:
        """One evaluation in a folder of its own. Raises ConnectionError where the fork server is gone."""
        clock = asyncio.get_running_loop().time
        start = clock()
        with self._folder(program, server) as folder:
            request, output = self._request(program, folder, slot, job)
            with output:
                with server.start(request) as child:
                    report, rung = await self._report(child, job, program)
                if report.interrupted:
                    raise RunInterrupted(report.interrupted)
                if report.failure and not report.output_tail:
                    report.output_tail = _tail(output)
        if self._walls is not None:
            report = with_remedy(report)
        fields = report.model_dump(exclude={"interrupted"})
        seconds, device = clock() - start, self._config.device(slot) or ""
        rung = 0 if report.failure else rung
        return Outcome(program.id, seconds=seconds, device=device, rung=rung, **fields)

    @contextmanager
    def _folder(self, program: Program, server: ForkServer) -> Iterator[Path]:
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{program.id}-", dir=server.scratch))
        except FileNotFoundError as error:
            raise ConnectionError("the fork server is gone, and its scratch folder with it") from error
        except OSError as error:
            raise _no_room(error) from None
        try:
            yield folder
        finally:
            remove_tree(folder)

    def _request(self, program: Program, folder: Path, slot: int, job: "_Job") -> tuple[Request, BinaryIO]:
        """Write the program into the folder; what is to be started there, and what it will print.

        Raises RunInterrupted.
        """
        path = folder / f"{program.id}{self._suffix}"
        config, device = self._config, self._config.device(slot)
        request = Request(
            target="openevolve.evaluating.child:main",
            argument={
                "evaluator": str(self._evaluator.resolve()),
                "program": str(path),
                "cascade_thresholds": config.cascade_thresholds if config.cascade_evaluation else None,
                "ladder": job.decide is not None,
                "look": asdict(job.look) if job.look else None,
                "offer": job.offer,
            },
            directory=folder,
            environment={"CUDA_VISIBLE_DEVICES": device} if device else {},
            memory_limit_mb=config.memory_limit_mb,
            may_start=self._walls is None,
            walls=self._walls,
        )
        try:
            path.write_text(program.code, encoding="utf-8")
            return request, request.open_output()
        except OSError as error:
            raise _no_room(error) from None

    async def _report(self, child: Child, job: "_Job", program: Program) -> tuple[Report, int]:
        """What the evaluation sent, or what its end means; and the rung that it was stopped at."""
        conversation, rung = Conversation(child.channel, partial(self.told, program)), 0
        try:
            # The limit is one of programs: to say what it offers an evaluator may take longer.
            async with asyncio.timeout(_OFFER_SECONDS if job.offer else self._config.timeout) as limit:
                if job.decide is not None:
                    rung = await conversation.climb(_untimed(job.decide, limit))
                message = await conversation.last()
                ended = await _exit(child)
        except TimeoutError:
            await _kill(child)
            text = f"expected an end within {self._config.timeout:g} s of wall clock, found none"
            return Report(failure=FailureKind.TIMEOUT, message=text), 0
        except Unusable as found:
            await _kill(child)
            return Report(failure=FailureKind.CRASHED, message=str(found)), 0
        except EvaluationFailed as failure:
            await _kill(child)
            return Report(failure=failure.kind, message=str(failure)), 0
        if ended.asked_to_end:
            # Perhaps not by its own doing: then this process is asked too, and cancels what waits here.
            await asyncio.sleep(_GRACE_SECONDS)
        try:
            return Report.model_validate_json(message), rung
        except ValidationError:  # nothing, a part, or what else the program wrote
            return _end_without_report(ended), 0

    def close(self) -> None:
        self._server.close()


def _untimed(decide: Decide, limit: asyncio.Timeout) -> Decide:
    """The time that an answer takes to come is none of the program's."""

    async def decided(rung: Rung) -> bool:
        answer, clock, ends = decide(rung), asyncio.get_running_loop().time, limit.when()
        if not isawaitable(answer) or ends is None:
            return bool(answer)
        left = ends - clock()
        limit.reschedule(None)
        try:
            return await answer
        finally:
            limit.reschedule(clock() + left)

    return decided


def _no_room(error: OSError) -> RunInterrupted:
    return RunInterrupted(
        f"{error.filename or tempfile.gettempdir()}: expected room for the files of an evaluation, found: "
        f"{error.strerror}. Free some space, or set TMPDIR to another folder, and resume."
    )


async def _exit(child: Child) -> Exit:
    child.lifeline.setblocking(False)
    return parse_exit(await asyncio.get_running_loop().sock_recv(child.lifeline, 1 << 16))


async def _kill(child: Child) -> None:
    """A slot is free only once nothing of its evaluation is left."""
    child.kill()
    await _exit(child)


def _end_without_report(ended: Exit) -> Report:
    if ended.reason == FailureKind.OUT_OF_MEMORY:
        text = "expected resident memory below evaluator.memory_limit_mb, found more"
        return Report(failure=FailureKind.OUT_OF_MEMORY, message=text)
    if ended.reason:
        return Report(failure=FailureKind(ended.reason), message=ended.detail)
    how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return Report(failure=FailureKind.CRASHED, message=f"expected a result, found an end by {how}")


def _tail(output: BinaryIO) -> str:
    """The last bytes that an evaluation printed."""
    size = os.fstat(output.fileno()).st_size
    output.seek(max(0, size - _TAIL_BYTES))
    return output.read(_TAIL_BYTES).decode("utf-8", "replace")
