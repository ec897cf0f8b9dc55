"""Reviews by an external command, by Evolyth's contract."""

import json
from collections.abc import Mapping
from typing import Any, Self

from openevolve.llm.base import CompletionFailed, LanguageModel, Models
from openevolve.llm.calls import Calls
from openevolve.llm.command import read_object
from openevolve.proposing.command import one_line
from openevolve.proposing.prompts.quoting import without_held_out
from openevolve.records.idea import Idea
from openevolve.records.program import Elite, Failure, Program
from openevolve.records.review import Review
from openevolve.settings.commands import CommandSettings
from openevolve.settings.models import Config
from openevolve.settings.registry import strategy

_MOST_IDEAS = 10  # of one review


@strategy("reflection", "command")
class CommandReviewer:
    """Asks ``strategies.command.review`` after each program, failures too.

    In: ``parent``, ``child``, ``context``. Out: ``valid``, ``is_improvement``, ``branch_recommendation``,
    ``observation``, ``next_belief`` and ``recommended_next_mutations``, a list of ``mutation_type``,
    ``description``, ``expected_benefit`` and ``priority``, which are queued. A reviewer that fails costs its
    review and nothing else.
    """

    Settings = CommandSettings

    def __init__(self, reviewer: LanguageModel, config: Config) -> None:
        self.reviewer = reviewer
        self.config = config

    @classmethod
    def build(cls, config: Config, settings: CommandSettings, models: Models) -> Self:
        """Raises UserError where the command line is missing."""
        return cls(models(settings.reviewer()), config)

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> Review:
        shown = self._described(child.program, child.metrics) | {"status": "succeeded"}
        return await self._asked(shown, child.id, parent, calls)

    async def review_failure(self, child: Failure, parent: Elite, calls: Calls) -> Review:
        outcome = child.outcome
        shown = self._described(child.program, {}) | {
            "status": "failed" if outcome.failure else "rejected",
            "failure": str(outcome.failure or ""),
            "message": outcome.message,
            "output": outcome.output_tail,
        }
        return await self._asked(shown, parent.id, parent, calls)

    async def _asked(self, child: Mapping[str, Any], about: str, parent: Elite, calls: Calls) -> Review:
        """``about``: the program that ideas are to be tried on."""
        asked = {
            "stage": "after",
            "parent": self._described(parent.program, parent.metrics),
            "child": child,
            "context": f"Programs are ranked by {self.config.database.fitness_metric}; higher is better.",
        }
        content = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        try:
            completion = await calls.complete(self.reviewer, [{"role": "user", "content": content}])
        except CompletionFailed as failure:
            return Review(problem=str(failure))
        answer = read_object(completion.text) or {}
        ideas = _ideas(answer.get("recommended_next_mutations"), about, completion.model)
        text = one_line(answer.get("observation"), 2000)
        if not text:
            return Review(model=completion.model, problem="expected an observation, found none", ideas=ideas)
        return Review(text, completion.model, belief=one_line(answer.get("next_belief"), 500), ideas=ideas)

    def _described(self, program: Program, metrics: Mapping[str, float]) -> dict[str, Any]:
        shown = {name: metrics[name] for name in without_held_out(metrics, self.config)}
        return {"id": program.id, "code": program.code, "changes": program.changes, "metrics": shown}


def _ideas(found: object, about: str, source: str) -> tuple[Idea, ...]:
    items = [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []
    ideas = (_idea(item, about, source) for item in items[:_MOST_IDEAS])
    return tuple(idea for idea in ideas if idea.description)


def _idea(item: Mapping[str, Any], about: str, source: str) -> Idea:
    priority = item.get("priority")
    usable = isinstance(priority, int | float) and not isinstance(priority, bool) and 0 <= priority <= 1
    return Idea(
        type=one_line(item.get("mutation_type"), 40) or "idea",
        description=one_line(item.get("description"), 500),
        benefit=one_line(item.get("expected_benefit"), 300),
        priority=float(priority or 0.0) if usable else 0.5,
        source=source,
        parent=about,
    )
