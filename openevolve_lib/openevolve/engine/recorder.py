"""The one way by which anything happens in a run: journal first, then the state, then those who watch."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from openevolve.state.journal import Event, Journal
from openevolve.state.state import State


class Observer(Protocol):
    """Is told what happened, after it has: a display, a writer of checkpoints."""

    def observe(self, event: Event, state: State) -> None:
        """``event`` is the latest that ``state`` holds."""
        ...


class Recorder:
    """Appends events and applies them."""

    def __init__(self, journal: Journal, state: State, observers: Sequence[Observer]) -> None:
        self._journal = journal
        self._state = state
        self._observers = observers
        self._start, self._offset = time.monotonic(), state.elapsed

    def elapsed(self) -> float:
        """Seconds of running over all sessions of the run."""
        return self._offset + time.monotonic() - self._start

    def __call__(self, name: str, *, sync: bool = False, **content: Any) -> None:
        """Raises JournalFull."""
        event = {"event": name, "elapsed": round(self.elapsed(), 3), **content}
        self._journal.append(event, sync=sync)
        self._state.apply(event)
        for observer in self._observers:
            observer.observe(event, self._state)
