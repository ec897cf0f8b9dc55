"""Reading a run: the state of a journal, whole or as it grows."""

from collections.abc import Iterable
from pathlib import Path

from openevolve.errors import UserError
from openevolve.state.journal import Event, Tail, read_journal
from openevolve.state.state import State


def replay(path: Path) -> State:
    """The state of a running, finished or killed run; the journal is only read.

    Raises:
        UserError: no journal, a damaged line, or an event of another version, by its line.
    """
    state = State()
    fold(state, read_journal(path))
    return state


def fold(state: State, events: Iterable[Event], first_line: int = 1) -> None:
    """Apply events in turn. Raises UserError, which names the line."""
    for number, event in enumerate(events, start=first_line):
        try:
            state.apply(event)
        except UserError as error:
            raise UserError(f"journal, line {number}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"journal, line {number}: expected an event of this version of openevolve, "
                f"found one with {type(error).__name__}: {error}. Read it with the version that wrote it."
            ) from None


class Follower:
    """The state of a journal that another process is writing."""

    def __init__(self, path: Path) -> None:
        """Raises UserError as ``replay`` does."""
        self.state = State()
        self._tail = Tail(path)
        self._lines = 0
        self.advance()

    def advance(self) -> list[Event]:
        """Take in what has been appended since, and return it. Raises UserError."""
        events = list(self._tail.read())
        fold(self.state, events, self._lines + 1)
        self._lines += len(events)
        return events
