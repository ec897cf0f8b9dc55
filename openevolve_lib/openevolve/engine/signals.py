"""Signals that end a command in good order."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from openevolve.errors import RunInterrupted


def ending_signals() -> list[signal.Signals]:
    """From a batch scheduler or a terminal that is closed; not SIGHUP where ``nohup`` has it ignored."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def ended_by(number: int) -> str:
    return f"ended by {signal.Signals(number).name}"


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """These signals raise RunInterrupted, so that processes end and scratch folders are removed."""

    def end(number: int, _: FrameType | None) -> None:
        raise RunInterrupted(ended_by(number))

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    previous = {number: signal.signal(number, end) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
