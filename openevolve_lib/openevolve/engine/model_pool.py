"""The language models of a run: reached once for equal settings, and closed at its end."""

from contextlib import AsyncExitStack
from typing import Self

from openevolve.llm.base import LanguageModel, Models
from openevolve.settings.models import LLMConfig


class ModelPool:
    """Hands out models as ``Models`` does."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._opened: list[tuple[LLMConfig, LanguageModel]] = []

    def __call__(self, config: LLMConfig) -> LanguageModel:
        """Raises UserError where no model can be reached."""
        for known, model in self._opened:
            if known == config:
                return model
        model = self._models(config)
        self._opened.append((config, model))
        return model

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        async with AsyncExitStack() as stack:
            for _, model in self._opened:
                stack.push_async_callback(model.close)
