"""A desk for proposers outside a run: it keeps what is recorded, and refuses what it is told to."""

from collections.abc import Callable
from typing import Any

from openevolve.llm.calls import Calls
from openevolve.proposing.desk import Desk
from openevolve.records.program import Proposal
from openevolve.state.random import random_source


def lets_all_through(proposal: Proposal) -> None:
    """No gate."""


class TestDesk(Desk):
    """``events`` are the records of its calls, in order."""

    __test__ = False  # pytest looks for names like this one's
    events: list[dict[str, Any]]

    def __init__(
        self, iteration: int = 1, seed: int = 0, refuse: Callable[[Proposal], str | None] = lets_all_through
    ) -> None:
        events: list[dict[str, Any]] = []
        calls = Calls(
            iteration,
            "proposal",
            lambda name, **content: events.append({"event": name, **content}),
            lambda use: random_source(seed, iteration, use),
        )
        super().__init__(calls, refuse)
        object.__setattr__(self, "events", events)
