"""A language model that nobody can reach: waiting for it costs less than iterations without a proposal."""

import asyncio
import copy
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from openevolve.llm.base import (
    Attempt,
    Completion,
    CompletionFailed,
    LanguageModel,
    Message,
    ModelUnreachable,
    at_temperature,
)
from openevolve.llm.status import Status

log = logging.getLogger("openevolve")

_CALLS = 3  # in a row without an answer are an outage; each has asked several times
_LONGEST_PAUSE = 600.0  # seconds
_OVERLOAD = {Status.SERVER_ERROR, Status.RATE_LIMITED}  # somebody is there


class OutageWaiting:
    """Passes calls on, and in an outage asks again and again.

    An outage is waited out for ``patience`` seconds, in pauses that grow from ``pause``; that a model has
    never answered at all, or a page came in its place, is more likely a wrong address than an outage, and
    ends the run.
    """

    def __init__(self, model: LanguageModel, patience: float, pause: float = 30.0) -> None:
        self._model = model
        self._patience = patience
        self._pause = pause
        self._answered = False
        self._failures = 0  # calls in a row, of all that are under way
        self._since = 0.0  # the first of them, by time.monotonic

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """As the model does.

        Raises:
            ModelUnreachable: an outage lasts too long, or nobody has ever answered.
        """
        return await self._complete(self._model, messages, rng)

    def at_temperature(self, temperature: float) -> LanguageModel:
        return _Tempered(self, at_temperature(self._model, temperature))

    async def _complete(
        self, model: LanguageModel, messages: Sequence[Message], rng: random.Random
    ) -> Completion:
        attempts: tuple[Attempt, ...] = ()
        while True:
            try:
                completion = await model.complete(messages, rng)
            except CompletionFailed as failure:
                attempts += failure.attempts
                statuses = {Status(attempt.status) for attempt in failure.attempts}
                self._answered |= not statuses.isdisjoint(_OVERLOAD)
                if not all(status.is_outage for status in statuses):
                    self._has_answered()
                    raise CompletionFailed(str(failure), attempts) from None
                if not await self._wait(failure):
                    raise CompletionFailed(str(failure), attempts) from None
            else:
                self._has_answered()
                return replace(completion, attempts=attempts + completion.attempts)
            rng = copy.copy(rng)  # the caller's own draws must not depend on a server's faults

    async def close(self) -> None:
        await self._model.close()

    def _has_answered(self) -> None:
        if self._failures >= _CALLS:
            log.warning("the language model answers again")
        self._answered, self._failures = True, 0

    async def _wait(self, failure: CompletionFailed) -> bool:
        """Whether to ask again, after a pause. Raises ModelUnreachable."""
        now = time.monotonic()
        self._since = self._since if self._failures else now
        self._failures += 1
        if self._failures < _CALLS:
            return False
        if not self._answered:
            raise ModelUnreachable(
                f"expected an answer from the language model, found none to {self._failures} calls "
                f"({failure}). Is the address right, does the server run?"
            )
        waited = now - self._since
        pause = min(max(self._pause, waited / 2), _LONGEST_PAUSE, self._patience - waited)
        if pause <= 0:
            raise ModelUnreachable(
                f"expected the language model to answer again within {self._patience:g} s (llm.patience), "
                f"found: {failure}"
            )
        log.warning("the language model does not answer (%s); asking again in %.0f s", failure, pause)
        await asyncio.sleep(pause)
        return True


@dataclass(frozen=True)
class _Tempered:
    """The same model at another temperature: an outage is one outage at every temperature."""

    outer: OutageWaiting
    model: LanguageModel

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        return await self.outer._complete(self.model, messages, rng)

    async def close(self) -> None:
        await self.outer.close()
