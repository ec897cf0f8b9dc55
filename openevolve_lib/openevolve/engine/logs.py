"""The log of a session, for people: nothing is read back from it."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openevolve.errors import RunInterrupted
from openevolve.settings.models import Config


@contextmanager
def log_to(folder: Path, config: Config) -> Iterator[None]:
    """A new log in ``folder`` for as long as the block lasts; warnings go to standard error too.

    Raises UserError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(folder / f"openevolve_{time.strftime('%Y%m%d_%H%M%S')}.log", encoding="utf-8")
    except OSError as error:
        raise RunInterrupted(
            f"{folder}: expected a folder for logs that can be written, found: {error.strerror}. "
            "Mend this and resume."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs a line for every request
    root.addHandler(handler)
    warnings = _StandardError(logging.WARNING)
    root.addHandler(warnings)
    previous, root.level = root.level, logging.getLevelName(config.log_level)
    try:
        yield
    finally:
        root.setLevel(previous)
        root.removeHandler(warnings)
        root.removeHandler(handler)
        with suppress(OSError):  # its disk is full: the journal has said so, or has all that counts
            handler.close()


class _LogFile(logging.FileHandler):
    """A log is a help, not a record: where its disk is full, its lines are dropped in silence."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the base class's name
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class _StandardError(logging.Handler):
    """Standard error as it is when a line comes: a live panel takes its place for a time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)
