"""Several language models behind one interface."""

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from openevolve.errors import UserError
from openevolve.instead import absent_names
from openevolve.llm.base import Completion, LanguageModel, Message, at_temperature


class Ensemble:
    """Draws one member for each call, in proportion to its weight."""

    def __init__(self, members: Sequence[tuple[LanguageModel, float]]) -> None:
        """Raises UserError where no member has a weight above 0."""
        self._models = [model for model, _ in members]
        self._weights = [weight for _, weight in members]
        if sum(self._weights) <= 0:
            raise UserError(f"llm: expected a model with a weight above 0, found weights {self._weights}")

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        (model,) = rng.choices(self._models, self._weights)
        return await model.complete(messages, rng)

    def at_temperature(self, temperature: float) -> "Ensemble":
        models = [at_temperature(model, temperature) for model in self._models]
        return Ensemble(list(zip(models, self._weights, strict=True)))

    async def close(self) -> None:
        """Close every member, also where one of them fails to close."""
        async with AsyncExitStack() as stack:
            for model in self._models:
                stack.push_async_callback(model.close)


if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
