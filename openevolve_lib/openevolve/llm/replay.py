"""Recorded replies in place of a language model: a search again, or under other settings, at no cost."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message, Models
from openevolve.records.program import Usage
from openevolve.state.journal import read_journal

_FENCED = re.compile(
    r"^(?P<mark>`{3,})[^`\n]*\n(?P<code>.*?)\n?^(?P=mark)`*[ \t]*$", re.MULTILINE | re.DOTALL
)

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RecordedCall:
    """What a model was asked, and how it answered: a completion, or the failure of one."""

    messages: Sequence[Message]
    answer: Completion | CompletionFailed

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "RecordedCall":
        """Of a journal's event with ``messages``, ``text``, ``model``, ``attempts`` and ``problem``.

        Raises LookupError or TypeError where it is another event.
        """
        attempts = tuple(Attempt(**{**a, "usage": Usage(**a["usage"])}) for a in event["attempts"])
        if event["text"] is None:
            return cls(event["messages"], CompletionFailed(event["problem"], attempts))
        return cls(event["messages"], Completion(event["text"], event["model"], attempts))


class PromptKeyedReplies:
    """Answers a prompt as it was answered, and a new one like a recorded prompt for the same parent.

    A prompt that was asked several times has its answers in their order; one that is asked more often than
    it was is new. A new prompt gets the first reply for its parent that has not been given, and is refused
    where there is none left. What was given depends on the order of calls alone.
    """

    def __init__(self, recorded: Iterable[RecordedCall], answered: Iterable[Sequence[Message]] = ()) -> None:
        """``answered``: what an earlier session of this replay asked, in order, and is not asked again."""
        self._calls = list(recorded)
        self._by_prompt: dict[Key, list[int]] = defaultdict(list)
        self._by_parent: dict[str, list[int]] = defaultdict(list)
        for number, call in enumerate(self._calls):
            self._by_prompt[_key(call.messages)].append(number)
            parent = parent_in(call.messages)
            if parent is not None and isinstance(call.answer, Completion):
                self._by_parent[parent].append(number)
        self._asked: Counter[Key] = Counter()
        self._given: set[int] = set()
        self.tally: Counter[str] = Counter()  # of calls: "same prompt", "same parent", "refused"
        for messages in answered:
            self._find(messages)

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """Raises CompletionFailed for a prompt that failed then, and for one unlike any recorded."""
        found, how = self._find(messages)
        if found is None:
            raise CompletionFailed(how, (Attempt("recorded", 0.0, "refused", detail=how),))
        answer = self._calls[found].answer
        if isinstance(answer, CompletionFailed):
            raise CompletionFailed(str(answer), answer.attempts)
        if how == "same prompt" or not answer.attempts:
            return answer
        last = replace(answer.attempts[-1], detail="a recorded reply to another prompt with this parent")
        return replace(answer, attempts=(*answer.attempts[:-1], last))

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, messages: Sequence[Message]) -> tuple[int | None, str]:
        """The recorded call to answer with, and how it was found; or None, and why there is none."""
        key = _key(messages)
        numbers, asked = self._by_prompt.get(key, []), self._asked[key]
        self._asked[key] += 1
        if asked < len(numbers):
            return self._give(numbers[asked], "same prompt")
        parent = parent_in(messages)
        of_parent = [] if parent is None else self._by_parent.get(parent, [])
        for number in of_parent:
            if number not in self._given:
                return self._give(number, "same parent")
        self.tally["refused"] += 1
        return None, _refusal(parent, len(of_parent), len(self._calls))

    def _give(self, number: int, how: str) -> tuple[int, str]:
        self._given.add(number)
        self.tally[how] += 1
        return number, how


class RecordedRun:
    """The replies of a run in the place of its language models: ``--replay``."""

    def __init__(self, journal: Path) -> None:
        """Raises UserError for a journal that cannot be read, or that holds no reply."""
        self._calls = list(_calls(journal))
        if not self._calls:
            raise UserError(f"{journal}: expected replies of a language model, found none to replay")
        self.description = f"{len(self._calls)} recorded replies of {journal}"
        self._model: PromptKeyedReplies | None = None

    def models(self, journal: Path) -> Models:
        """For the run whose journal this is; what it asked before it was cut off is not asked again."""
        asked = [call.messages for call in _calls(journal)] if journal.is_file() else []
        model = self._model = PromptKeyedReplies(self._calls, asked)
        return lambda llm: model

    def tally(self) -> str:
        """How many calls were answered, and how."""
        counts = self._model.tally if self._model else Counter[str]()
        return ", ".join(f"{counts[how]} {how}" for how in ("same prompt", "same parent", "refused"))


def _calls(journal: Path) -> Iterator[RecordedCall]:
    return (RecordedCall.from_event(event) for event in read_journal(journal) if event["event"] == "replied")


def parent_in(messages: Sequence[Message]) -> str | None:
    """The program that a prompt is about: its first fenced block. None where there is none."""
    for message in messages:
        if message["role"] == "user":
            block = _FENCED.search(message["content"])
            return block["code"] if block else None
    return None


def _refusal(parent: str | None, of_parent: int, recorded: int) -> str:
    expected = f"expected a prompt among the {recorded} recorded ones, or with the parent of one"
    if parent is None:
        return f"{expected}, found a new one without a program"
    if of_parent:
        return f"{expected}, found a new one whose parent's {of_parent} recorded replies have been given"
    return f"{expected}, found a new one with a parent that no recorded prompt has"


def _key(messages: Sequence[Message]) -> Key:
    return tuple((message["role"], message["content"]) for message in messages)
