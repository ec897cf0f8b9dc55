"""A second opinion: what another model makes of an outcome, for those who write the next programs."""

from typing import Protocol, Self, runtime_checkable

from openevolve.llm.base import CompletionFailed, LanguageModel, Models
from openevolve.llm.calls import Calls
from openevolve.proposing.prompts import build_review_prompt
from openevolve.records.program import Elite, Failure
from openevolve.records.review import Review
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy
from openevolve.state.view import View


class Reflection(Protocol):
    """Digests what happened to a program, once it has counted."""

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> Review | None:
        """What is to be shown with a program from now on; None: nothing to record.

        Raises:
            ProviderFailed, ModelUnreachable: the model cannot be had; the run goes on without the review.
            ProviderRejected: no call can succeed.
        """
        ...


@runtime_checkable
class ReviewsFailures(Protocol):
    """A reflection that digests programs without a score too."""

    async def review_failure(self, child: Failure, parent: Elite, calls: Calls) -> Review | None:
        """As ``Reflection.review``. The child may have no code: its proposal was unusable."""
        ...


@runtime_checkable
class DigestsHistory(Protocol):
    """A reflection on what came before as well, failures included."""

    async def digest(self, view: View, iteration: int, calls: Calls) -> Review | None:
        """As ``Reflection.review``, for the outcome of ``iteration`` and those that counted before it."""
        ...


@strategy("reflection", "none")
class NoReflection:
    """What a run has without ``llm.evaluator_models``."""

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        return cls()

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> None:
        return None


@strategy("reflection", "review")
class LLMReviewer:
    """Asks ``llm.evaluator_models``; a review that fails costs its tokens and nothing else."""

    def __init__(self, model: LanguageModel, config: Config) -> None:
        self.model = model
        self.config = config

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        return cls(models(config.llm.reviewers()), config)

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> Review:
        messages = build_review_prompt(child, parent, self.config)
        try:
            completion = await calls.complete(self.model, messages)
        except CompletionFailed as failure:
            return Review(problem=str(failure))
        return Review(completion.text.strip(), completion.model)
