"""A desk and a model for what asks outside a run: they keep what happened, and answer as they are told to."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from openevolve.llm.base import Attempt, Completion, LanguageModel, Message
from openevolve.llm.calls import Calls
from openevolve.proposing.desk import Desk
from openevolve.records.program import Proposal, Usage
from openevolve.state.random import random_source


def lets_all_through(proposal: Proposal) -> None:
    """No gate."""


def recorded_calls(events: list[dict[str, Any]], purpose: str, iteration: int = 1, seed: int = 0) -> Calls:
    """The calls of one iteration, whose records go to ``events``. What is there already was before a kill."""
    earlier = list(events)
    return Calls(
        iteration,
        purpose,
        lambda name, **content: events.append({"event": name, **content}),
        lambda use: random_source(seed, iteration, use),
        earlier,
    )


class TestDesk(Desk):
    """``events`` are the records of its calls, in order."""

    __test__ = False  # pytest looks for names like this one's
    events: list[dict[str, Any]]

    def __init__(
        self,
        iteration: int = 1,
        seed: int = 0,
        refuse: Callable[[Proposal], str | None] = lets_all_through,
        *,
        earlier: Sequence[dict[str, Any]] = (),
    ) -> None:
        """``earlier``: the records of a desk before a kill."""
        events = list(earlier)
        super().__init__(recorded_calls(events, "proposal", iteration, seed), refuse)
        object.__setattr__(self, "events", events)


class TestModel(LanguageModel):
    """Gives, or raises, what a function makes of a question and of the call's random numbers."""

    __test__ = False

    def __init__(self, answer: Callable[[Sequence[Message], random.Random], str | Exception]) -> None:
        self.answer = answer
        self.asked: list[list[Message]] = []

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        self.asked.append(list(messages))
        answer = self.answer(messages, rng)
        if isinstance(answer, Exception):
            raise answer
        return Completion(answer, "scripted", (Attempt("scripted", 0.1, "ok", Usage(100, 10, 0.25)),))

    async def close(self) -> None:
        """Nothing is open."""


def unasked(messages: Sequence[Message], rng: random.Random) -> str:
    """The answer of a model that nobody should ask."""
    raise AssertionError(f"expected no question, found {messages[-1]}")
