"""What an evaluation says over its channel, and what it is answered.

For each rung a line of JSON, answered by ``promote`` or ``stop``; at the end one JSON object without
a line end. Lines in between tell how far it is (``progress.py``); nothing answers those. Bytes from a
process that has run a program are checked, not trusted.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openevolve.evaluating.progress import MARK
from openevolve.records.program import FailureKind, Rung
from openevolve.records.progress import Progress

MESSAGE_BYTES = 1 << 24  # of all messages of an evaluation together

Hear = Callable[[Progress], None]
# Whether the evaluation goes on; raises EvaluationFailed for a useless rung. From elsewhere it has to come.
Decide = Callable[[Rung], bool | Awaitable[bool]]


class Report(BaseModel):
    """The last message of an evaluation."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    metrics: dict[str, float] = {}
    artifacts: dict[str, str] = {}
    measurements: dict[str, list[float]] = {}
    failure: FailureKind | None = None
    message: str = ""
    output_tail: str = ""
    interrupted: str = ""  # not the program's fault: why nothing can be evaluated here and now


class Unusable(Exception):
    """An evaluation sends what no evaluation does: expected, found."""


class _RungMessage(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    rung: int
    metrics: dict[str, float]
    artifacts: dict[str, str]
    measurements: dict[str, list[float]] = {}


class _ProgressMessage(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    what: str = Field(max_length=1000)
    share: float | None = Field(default=None, ge=0, le=1)


class _ProgressLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    progress: _ProgressMessage


def unheard(_: Progress) -> None:
    """Nobody wants to know."""


class Conversation:
    """The engine's side of one evaluation's channel."""

    def __init__(self, channel: socket.socket, hear: Hear = unheard) -> None:
        channel.setblocking(False)
        self._hear = hear
        self._channel = channel
        self._buffer = bytearray()
        self._received = 0

    async def climb(self, decide: Decide) -> int:
        """Answer rungs; the number of the one that is stopped at, or 0 where none is.

        Raises:
            EvaluationFailed: by ``decide``.
            Unusable: a line that is not the next rung, or more than ``MESSAGE_BYTES`` in all.
        """
        number = 0
        while (line := await self._next_line()) is not None:
            number += 1
            rung = _parsed(line, number)
            answer = decide(rung)
            promoted = await answer if isawaitable(answer) else answer
            await self._answer(b"promote\n" if promoted else b"stop\n")
            if not promoted:
                return number
        return 0

    async def last(self) -> bytes:
        """All that comes until the evaluation closes its end. Raises Unusable."""
        while await self._receive():
            self._hear_progress()
        self._hear_progress()
        return bytes(self._buffer)

    def _hear_progress(self) -> bool:
        """Take lines on progress from the front of the buffer; whether there was one."""
        heard = False
        while self._buffer.startswith(MARK) and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            told = _told(line)
            heard = True
            if told is not None:
                self._hear(told)
        return heard

    async def _next_line(self) -> bytes | None:
        """A line, taken out of the buffer; None where the end comes first."""
        self._hear_progress()
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if not await self._receive():
                return None
            if self._hear_progress():
                searched = 0
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    async def _receive(self) -> bool:
        """Wait for more bytes; False at the end. Raises Unusable."""
        try:
            part = await asyncio.get_running_loop().sock_recv(self._channel, 1 << 16)
        except ConnectionResetError:
            return False  # it ended without having read an answer
        self._buffer += part
        self._received += len(part)
        if self._received > MESSAGE_BYTES:
            raise Unusable(f"expected a result of at most {MESSAGE_BYTES} bytes, found more")
        return bool(part)

    async def _answer(self, line: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._channel, line)
        except OSError:
            pass  # it has ended, and its exit says how


def _told(line: bytes) -> Progress | None:
    """None for what a program made up."""
    try:
        message = _ProgressLine.model_validate_json(line).progress
    except ValidationError:
        return None
    return Progress(message.what, message.share)


def _parsed(line: bytes, number: int) -> Rung:
    """The rung that is next. Raises Unusable for whatever else a program wrote."""
    try:
        message = _RungMessage.model_validate_json(line)
    except ValidationError:
        raise Unusable(f"expected a result for rung {number}, found {line[:80]!r}") from None
    if message.rung != number:
        raise Unusable(f"expected a result for rung {number}, found one for rung {message.rung}")
    return Rung(number, message.metrics, message.artifacts)
