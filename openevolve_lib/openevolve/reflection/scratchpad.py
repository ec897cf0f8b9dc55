"""A scratchpad of what a run has learned, rewritten by a model every so many outcomes, as in ShinkaEvolve."""

from typing import Annotated, Self

from pydantic import Field

from openevolve.llm.base import CompletionFailed, LanguageModel, Models
from openevolve.llm.calls import Calls
from openevolve.proposing.prompts import build_scratchpad_prompt
from openevolve.records.program import Elite
from openevolve.records.review import Review
from openevolve.settings.models import Config, Section
from openevolve.settings.registry import strategy
from openevolve.state.view import View

_MOST_CHARACTERS = 4000


@strategy("reflection", "scratchpad")
class Scratchpad:
    """Every ``every`` outcomes that count, failures too, the model is shown them and the old scratchpad.

    What it writes takes the place of all beliefs, and later prompts show it. ``llm.evaluator_models`` are
    asked or, where none is named, the others.
    """

    class Settings(Section):
        every: Annotated[int, Field(ge=1)] = 10

    def __init__(self, model: LanguageModel, config: Config, settings: Settings) -> None:
        self.model = model
        self.config = config
        self.settings = settings

    @classmethod
    def build(cls, config: Config, settings: Settings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        llm = config.llm.reviewers() if config.llm.evaluator_models else config.llm
        return cls(models(llm), config, settings)

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> None:
        return None

    async def digest(self, view: View, iteration: int, calls: Calls) -> Review | None:
        committed = list(view.committed)
        place = committed.index(iteration)
        if place == 0 or place % self.settings.every:
            return None
        rows = view.tried(committed[place - self.settings.every + 1 : place + 1])
        messages = build_scratchpad_prompt(view.beliefs, rows, self.config)
        try:
            completion = await calls.complete(self.model, messages)
        except CompletionFailed as failure:
            return Review(problem=str(failure))
        text = completion.text.strip()[:_MOST_CHARACTERS]
        return Review(model=completion.model, belief=text, rewrites=True)
