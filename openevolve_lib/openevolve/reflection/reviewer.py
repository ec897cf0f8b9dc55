"""A second opinion: what another model makes of an outcome, for those who write the next programs."""

import random
from dataclasses import dataclass
from typing import Protocol

from openevolve.llm.base import CompletionFailed, LanguageModel
from openevolve.proposing.prompts import build_review_prompt
from openevolve.records.program import Elite, Usage
from openevolve.settings.models import Config


@dataclass(frozen=True)
class Review:
    """``text`` is shown with the program from now on; empty where there is nothing to say."""

    text: str = ""
    model: str = ""
    usage: Usage = Usage()
    problem: str = ""  # why there is no text


class Reviewer(Protocol):
    """Looks at a program with a score, beside the one it was made from."""

    async def review(self, child: Elite, parent: Elite, rng: random.Random) -> Review: ...


class NoReviewer:
    """What a run has without ``llm.evaluator_models``."""

    async def review(self, child: Elite, parent: Elite, rng: random.Random) -> Review:
        return Review()


class LLMReviewer:
    """Asks ``llm.evaluator_models``; a review that fails costs its tokens and nothing else."""

    def __init__(self, model: LanguageModel, config: Config) -> None:
        self.model = model
        self.config = config

    async def review(self, child: Elite, parent: Elite, rng: random.Random) -> Review:
        """Raises ProviderRejected where no call can succeed."""
        messages = build_review_prompt(child, parent, self.config)
        try:
            completion = await self.model.complete(messages, rng)
        except CompletionFailed as failure:
            return Review(usage=failure.usage, problem=str(failure))
        return Review(completion.text.strip(), completion.model, completion.usage)
