"""Which program is changed next, and what its author sees beside it: one small class a strategy."""

from typing import Protocol

from openevolve.records.choice import Choice
from openevolve.state.view import View


class ParentStrategy(Protocol):
    """Built as ``ParentStrategy(config, settings)``; draws from ``random_source`` alone."""

    def choose(self, view: View, iteration: int) -> Choice:
        """The programs of an iteration's prompt. The population holds at least the initial program."""
        ...
