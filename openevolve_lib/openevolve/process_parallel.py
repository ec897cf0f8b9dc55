"""Evaluations in local processes: one at a time on each slot, each slot bound to a device."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from openevolve.config import EvaluatorConfig
from openevolve.errors import UserError
from openevolve.isolation import Child, Exit, ForkServer, Request, Walls
from openevolve.isolation.client import parse_exit
from openevolve.isolation.level import environment_of
from openevolve.isolation.scratch import remove_tree
from openevolve.program import FailureKind, Outcome, Program

_REPLY_BYTES = 1 << 24
_TAIL_BYTES = 4000


class Report(BaseModel):
    """What an evaluation sends. Bytes from a process that has run a program are checked, not trusted."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    metrics: dict[str, float] = {}
    artifacts: dict[str, str] = {}
    failure: FailureKind | None = None
    message: str = ""
    output_tail: str = ""


class Executor(Protocol):
    """Evaluates programs somewhere. Cancelling ``evaluate`` ends the evaluation."""

    slots: int

    async def evaluate(self, program: Program) -> Outcome:
        """Wait for a free slot, evaluate, and return an outcome whatever happened."""
        ...

    def close(self) -> None: ...


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
        self._config = config
        self._evaluator = evaluator
        self._suffix = file_suffix
        self._environment = dict(environment or {})
        self._walls = walls
        self._preload = ["openevolve.evaluation", *config.preload, *preload]
        self._server = self._new_server()
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(self.slots):
            self._free.put_nowait(slot)

    def _new_server(self) -> ForkServer:
        inherited = environment_of(self._config.isolation, self._config.pass_environment)
        return ForkServer(self._preload, inherited | self._environment)

    async def evaluate(self, program: Program) -> Outcome:
        slot = await self._free.get()
        try:
            for _ in range(self._config.max_retries + 1):
                outcome = await self._attempt(program, slot)
                if outcome.failure not in (FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY):
                    break
            return outcome
        finally:
            self._free.put_nowait(slot)

    async def _attempt(self, program: Program, slot: int) -> Outcome:
        for _ in range(2):  # the first loss of the server may be another program's doing
            if self._server.ended():
                self._server.close()
                self._server = self._new_server()
            with suppress(ConnectionError):
                return await self._run(program, slot)
        text = "expected a result, found the fork server ended twice while the program ran"
        return Outcome(program.id, failure=FailureKind.CRASHED, message=text)

    async def _run(self, program: Program, slot: int) -> Outcome:
        """One evaluation in a folder of its own. Raises ConnectionError where the fork server is gone."""
        clock = asyncio.get_running_loop().time
        start = clock()
        with self._folder(program) as folder:
            request = self._request(program, folder, slot)
            with request.open_output() as output:
                with self._server.start(request) as child:
                    report = await self._report(child)
                if report.failure and not report.output_tail:
                    report.output_tail = _tail(output)
        return Outcome(program.id, seconds=clock() - start, device=self._device(slot), **report.model_dump())

    @contextmanager
    def _folder(self, program: Program) -> Iterator[Path]:
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{program.id}-", dir=self._server.scratch))
        except FileNotFoundError as error:
            raise ConnectionError("the fork server is gone, and its scratch folder with it") from error
        try:
            yield folder
        finally:
            remove_tree(folder)

    def _request(self, program: Program, folder: Path, slot: int) -> Request:
        """Write the program into the folder; what is to be started there. Raises UserError."""
        path = folder / f"{program.id}{self._suffix}"
        try:
            path.write_text(program.code, encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{folder}: expected room for a program, found: {error.strerror}. "
                "Free some space, or set TMPDIR to another folder, and resume."
            ) from None
        config, device = self._config, self._device(slot)
        return Request(
            target="openevolve.evaluation:main",
            argument={
                "evaluator": str(self._evaluator.resolve()),
                "program": str(path),
                "cascade_thresholds": config.cascade_thresholds if config.cascade_evaluation else None,
            },
            directory=folder,
            environment={"CUDA_VISIBLE_DEVICES": device} if device else {},
            memory_limit_mb=config.memory_limit_mb,
            may_start=self._walls is None,
            walls=self._walls,
        )

    def _device(self, slot: int) -> str:
        devices = self._config.devices
        return devices[slot % len(devices)] if devices else ""

    async def _report(self, child: Child) -> Report:
        """What the evaluation sent, or the failure that its end means."""
        try:
            async with asyncio.timeout(self._config.timeout):
                message = await _read_all(child)
                ended = await _exit(child)
        except TimeoutError:
            await _kill(child)
            text = f"expected an end within {self._config.timeout:g} s of wall clock, found none"
            return Report(failure=FailureKind.TIMEOUT, message=text)
        except _TooLong:
            await _kill(child)
            text = f"expected a result of at most {_REPLY_BYTES} bytes, found more"
            return Report(failure=FailureKind.CRASHED, message=text)
        try:
            return Report.model_validate_json(message)
        except ValidationError:  # nothing, a part, or what else the program wrote
            return _end_without_report(ended)

    def close(self) -> None:
        self._server.close()


class _TooLong(Exception):
    """An evaluation sends more than any result holds."""


async def _read_all(child: Child) -> bytes:
    """Everything the child sends until it closes its end of the channel. Raises _TooLong."""
    child.channel.setblocking(False)
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    size = 0
    while part := await loop.sock_recv(child.channel, 1 << 16):
        parts.append(part)
        size += len(part)
        if size > _REPLY_BYTES:
            raise _TooLong
    return b"".join(parts)


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
