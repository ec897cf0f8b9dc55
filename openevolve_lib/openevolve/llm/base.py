"""What the rest of the engine knows of a language model: one call, bounded in time and recorded."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from openevolve.errors import RunInterrupted, UserError
from openevolve.instead import absent_names
from openevolve.records.program import Usage
from openevolve.settings.models import LLMConfig

Message = Mapping[str, str]  # {"role": "system" | "user" | "assistant", "content": text}


@dataclass(frozen=True)
class Attempt:
    """One request that was sent, whatever became of it."""

    model: str
    seconds: float
    status: str  # "ok", "refused", "empty", "truncated", "rate_limited", "server_error", "timeout", ...
    usage: Usage = Usage()
    detail: str = ""  # the provider's own words, shortened, without secrets


@dataclass(frozen=True)
class Completion:
    """A reply, and every attempt it took; ``usage`` sums them all."""

    text: str
    model: str
    attempts: tuple[Attempt, ...]

    @property
    def usage(self) -> Usage:
        return sum((attempt.usage for attempt in self.attempts), Usage())

    @property
    def truncated(self) -> bool:
        """Whether the reply was cut off at the limit of tokens."""
        return bool(self.attempts) and self.attempts[-1].status == "truncated"


class CompletionFailed(Exception):
    """No usable reply within the deadline. The run goes on; the attempts are recorded."""

    def __init__(self, message: str, attempts: tuple[Attempt, ...]) -> None:
        super().__init__(message)
        self.attempts = attempts

    @property
    def usage(self) -> Usage:
        return sum((attempt.usage for attempt in self.attempts), Usage())


class ProviderRejected(UserError):
    """A wrong key, an unknown model, no access: no further call can succeed, so the run stops."""


class ModelUnreachable(RunInterrupted):
    """Nobody answers, for too long: evaluations that are running can still be finished."""


class LanguageModel(Protocol):
    """A client, or an ensemble of them."""

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """Raises CompletionFailed, or ProviderRejected where asking again is pointless."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Tempered(Protocol):
    """A language model whose temperature can be another one for a call."""

    def at_temperature(self, temperature: float) -> LanguageModel:
        """The same model, connection and state; those that take no temperature are asked as they are."""
        ...


def at_temperature(model: LanguageModel, temperature: float) -> LanguageModel:
    """The model at another temperature; one that has none, such as recorded replies, as it is."""
    return model.at_temperature(temperature) if isinstance(model, Tempered) else model


Models = Callable[[LLMConfig], LanguageModel]  # how a run reaches its language models; raises UserError

if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
