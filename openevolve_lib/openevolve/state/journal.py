"""The run's one source of truth: an append-only file of JSON lines, each with a checksum.

A line is written by a single call, so that a killed process leaves at most one torn line at the
end, which the next opening removes. Results are forced to the disk; other events ride along with
the next result.
"""

import fcntl
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from openevolve.errors import RunInterrupted, UserError

Event = dict[str, Any]


class JournalFull(RunInterrupted):
    """The disk took no more; what was written before is intact."""


class Journal:
    """One writer appends; readers may look at any time."""

    def __init__(self, path: Path) -> None:
        """Open for appending, creating the file, and refuse a second writer.

        Raises:
            UserError: another process writes this journal, the folder cannot be written, or a line is
                damaged: then nothing is changed.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(
                f"{path}: expected a run directory that can be written, found: {error.strerror}. "
                "Make it writable, or choose another with --output."
            ) from None
        self._refuse_second_writer()
        try:
            self._size = self._drop_torn_line()
        except UserError:
            os.close(self._file)
            os.close(self._lock)
            raise

    def _refuse_second_writer(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            os.close(self._file)
            raise UserError(
                f"{self.path}: expected no other runner on this run directory, found process {owner}. "
                "Wait for it, or stop it first."
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _drop_torn_line(self) -> int:
        """Cut what a killed writer left behind the last line end; returns the size in bytes."""
        end = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    _body(line, self.path, number)  # before anything is changed
                    end += len(line)
        if end != self.path.stat().st_size:
            os.ftruncate(self._file, end)
        return end

    def append(self, event: Event, *, sync: bool = False) -> None:
        """Write one event; with ``sync`` it has reached the disk on return.

        Raises:
            JournalFull: the write failed; the journal ends with the event before.
        """
        line = encode(event)
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(28, "No space left on device")
            if sync:
                os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise JournalFull(
                f"{self.path}: expected room for {len(line)} bytes, found: {error.strerror}. "
                "Every finished evaluation before this one is kept; free some space and resume."
            ) from None
        self._size += len(line)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(event: Mapping[str, Any]) -> bytes:
    """One line: the event's JSON with its CRC-32 as the last key."""
    body = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    checksum = zlib.crc32(body.encode("utf-8", "surrogatepass"))
    return f'{body[:-1]},"crc":"{checksum:08x}"}}\n'.encode("utf-8", "surrogatepass")


class Tail:
    """Reads a journal as far as it goes, and later what has been appended.

    A line without its end is one that is being written, or that a killed writer left: it is no event yet.
    """

    def __init__(self, path: Path, offset: int = 0, lines: int = 0) -> None:
        """``offset``: bytes, ``lines`` of them, that need no reading."""
        self._path = path
        self._offset = offset
        self._lines = lines

    @property
    def offset(self) -> int:
        """Up to which byte it has read."""
        return self._offset

    def skip_to_last(self, count: int) -> None:
        """Go on with the last ``count`` complete events. Raises UserError where there is no such file."""
        ends = deque([self._offset], maxlen=count + 1)  # where lines begin
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                position, lines = self._offset, self._lines
                for line in file:
                    if line.endswith(b"\n"):
                        position += len(line)
                        lines += 1
                        ends.append(position)
        except OSError as error:
            raise UserError(f"{self._path}: expected a run's journal, found: {error.strerror}") from None
        self._offset, self._lines = ends[0], lines - len(ends) + 1

    def read(self) -> Iterator[Event]:
        """The complete events since the last call, first to last.

        Raises:
            UserError: no such file, or a line that is damaged, by its number.
        """
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise UserError(f"{self._path}: expected a run's journal, found: {error.strerror}") from None
        with file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                event = _decode(line, self._path, self._lines + 1)
                self._offset += len(line)
                self._lines += 1
                yield event


def read_journal(path: Path) -> Iterator[Event]:
    """All complete events, first to last. Raises UserError as ``Tail.read`` does."""
    return Tail(path).read()


def _decode(line: bytes, path: Path, number: int) -> Event:
    body = _body(line, path, number)
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise UserError(
            f"{path}, line {number}: expected an event as a JSON object, found {body[:40]!r}. "
            "The file is no journal of this engine."
        )
    return event


def _body(line: bytes, path: Path, number: int) -> bytes:
    """The JSON of a line whose checksum holds. Raises UserError."""
    body, separator, checksum = line.removesuffix(b"\n").rpartition(b',"crc":"')
    expected = f'{zlib.crc32(body + b"}"):08x}"}}'.encode()
    if not separator or checksum != expected:
        raise UserError(
            f"{path}, line {number}: expected an event whose checksum holds, found a damaged line. "
            "Restore the file from a copy, or cut it before this line to continue from there."
        )
    return body + b"}"
