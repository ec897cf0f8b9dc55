"""Standard streams that may go away: a closed terminal, a broken pipe or a full disk ends no run."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO

log = logging.getLogger("openevolve")


class LastingStream(io.TextIOBase):
    """Writes to ``stream`` for as long as that works, and to nowhere from then on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a read-only one too
        return self._stream.encoding

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _lose(self, error: OSError) -> None:
        """Put /dev/null in its place, so that what is still buffered has somewhere to go."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        log.warning("%s is gone (%s): the run goes on without it", self._stream.name, error.strerror)


@contextmanager
def lasting_output() -> Iterator[None]:
    """``sys.stdout`` and ``sys.stderr`` as lasting streams while the block runs."""
    out, err = LastingStream(sys.stdout), LastingStream(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield
        finally:
            out.flush()
            err.flush()
