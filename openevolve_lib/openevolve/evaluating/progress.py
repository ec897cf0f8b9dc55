"""Telling how far an evaluation is, from inside of it.

An evaluator calls ``tell`` as often as it likes; outside of a run nobody listens. What is told is shown to
people and then forgotten: it is in no journal, and nothing is decided by it.
"""

import json
import socket
import time
from contextlib import suppress

from openevolve.records.progress import Progress

_SECONDS = 0.5  # between two messages
_CHARACTERS = 200
MARK = b'{"progress":'  # how a line of the channel begins that is such a message


class _Line:
    """To the engine, where an evaluation is one of a run."""

    def __init__(self) -> None:
        self.channel: socket.socket | None = None
        self.last = 0.0


_line = _Line()


def listen(channel: socket.socket) -> None:
    """From now on what is told goes into the channel."""
    _line.channel = channel


def tell(what: str, share: float | None = None) -> None:
    """Say what is being done, and which share of the whole evaluation is done (0 to 1).

    Of what comes faster than twice a second most is dropped. It never fails.
    """
    now = time.monotonic()
    if _line.channel is None or now - _line.last < _SECONDS:
        return
    _line.last = now
    progress = Progress(str(what)[:_CHARACTERS], None if share is None else min(1.0, max(0.0, float(share))))
    message = json.dumps({"progress": progress.to_json()}, separators=(",", ":"))
    with suppress(OSError):  # the engine is gone, and this process soon
        _line.channel.sendall(message.encode("utf-8", "replace") + b"\n")
