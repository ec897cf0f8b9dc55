"""Recorded replies in place of a language model: the same run again, at no cost."""

import random
from collections.abc import Sequence

from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message


class RecordedReplies:
    """Answers the n-th call with the n-th reply, whatever was asked."""

    def __init__(self, replies: Sequence[str], model: str = "recorded") -> None:
        self._replies = tuple(replies)
        self._model = model
        self._calls = 0

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """Raises CompletionFailed once every reply has been given."""
        if self._calls == len(self._replies):
            raise CompletionFailed(
                f"expected no more calls: all {self._calls} recorded replies are used up", ()
            )
        text = self._replies[self._calls]
        self._calls += 1
        return Completion(text, self._model, (Attempt(self._model, seconds=0.0, status="ok"),))

    async def close(self) -> None:
        """Nothing is open."""
