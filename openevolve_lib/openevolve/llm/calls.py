"""Calls of a language model on record: what was answered and paid for survives whoever asked."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from openevolve.llm.base import Attempt, Completion, CompletionFailed, LanguageModel, Message
from openevolve.llm.status import Status
from openevolve.records.program import Usage

Record = Callable[..., None]  # record(name of the event, **content)


class ProviderFailed(Exception):
    """An outage or a time-out of the provider: nothing that speaks against an idea. Ask again later."""


class Calls:
    """The calls of one iteration for one purpose.

    Each is recorded as soon as it ends. After a kill the recorded ones are answered from the record, as
    long as the same is asked.
    """

    def __init__(
        self,
        iteration: int,
        purpose: str,
        record: Record,
        random_source: Callable[[str], random.Random],
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """``random_source`` gives random numbers for a use; ``earlier`` are ``replied`` events in order."""
        self._iteration = iteration
        self._purpose = purpose
        self._record = record
        self._random_source = random_source
        self._earlier = list(earlier)
        self._number = 0

    async def complete(self, model: LanguageModel, messages: Sequence[Message]) -> Completion:
        """Ask, or take the recorded answer.

        Raises:
            CompletionFailed: the provider refuses this request.
            ProviderFailed: it cannot answer any at present.
            ProviderRejected, ModelUnreachable: no later call can succeed.
        """
        number, self._number = self._number, self._number + 1
        asked = [dict(message) for message in messages]
        if number < len(self._earlier) and self._earlier[number]["messages"] == asked:
            return _recorded(self._earlier[number])
        where: dict[str, Any] = {"iteration": self._iteration, "purpose": self._purpose}
        try:
            completion = await model.complete(messages, self._random_source(f"{self._purpose} {number}"))
        except CompletionFailed as failure:
            attempts = [asdict(attempt) for attempt in failure.attempts]
            spent = {"attempts": attempts, "usage": asdict(failure.usage), "problem": str(failure)}
            if attempts and all(Status(attempt.status).is_outage for attempt in failure.attempts):
                self._record("provider_failed", **where, **spent)
                raise ProviderFailed(str(failure)) from None
            self._record("replied", **where, messages=asked, text=None, model="", **spent)
            raise
        self._record(
            "replied", **where, messages=asked, text=completion.text, model=completion.model,
            attempts=[asdict(attempt) for attempt in completion.attempts], usage=asdict(completion.usage),
            problem="",
        )  # fmt: skip
        return completion


def _recorded(event: Mapping[str, Any]) -> Completion:
    attempts = tuple(Attempt(**{**a, "usage": Usage(**a["usage"])}) for a in event["attempts"])
    if event["text"] is None:
        raise CompletionFailed(event["problem"], attempts)
    return Completion(event["text"], event["model"], attempts)
