"""What the events of a journal come to: the state, and the account beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from openevolve.inspect.account import Account
from openevolve.inspect.snapshot import Snapshot
from openevolve.state.journal import Event, Tail
from openevolve.state.replay import fold
from openevolve.state.state import State

SECTION = "folded"  # of a snapshot


@dataclass
class Folded:
    """As far as a journal has been read."""

    tail: Tail
    state: State = field(default_factory=State)
    account: Account = field(default_factory=Account)
    fresh: int = 0  # events that this process has read itself

    @classmethod
    def of(cls, journal: Path, kept: Snapshot | None = None) -> Self:
        """All of a journal, from where a snapshot of it ends. Raises UserError as ``Tail.read`` does."""
        if kept is not None and SECTION in kept:
            state, account = kept[SECTION]
            found = cls(Tail(journal, kept.offset, kept.events), state, account)
        else:
            found = cls(Tail(journal))
        found.advance()
        return found

    def advance(self) -> None:
        """Take in what has been appended since. Raises UserError."""
        before = self.account.events
        fold(self.state, self._events(), before + 1)
        self.fresh += self.account.events - before

    def _events(self) -> Iterator[Event]:
        """``account`` takes each event in once the state has, since a fold asks for the next only then."""
        for event in self.tail.read():
            yield event
            self.account.apply(event, self.state)
