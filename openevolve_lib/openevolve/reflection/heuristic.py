"""Evolyth's reviewer without a model: what to try next follows from how a program ended."""

import math
from typing import Self

from openevolve.llm.base import Models
from openevolve.llm.calls import Calls
from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.records.idea import Idea
from openevolve.records.program import Elite, Failure, standard_error_of
from openevolve.records.review import Review
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy

_NAME = "heuristic reviewer"


@strategy("reflection", "heuristic")
class HeuristicReviewer:
    """No score: a fix (priority .9). A better score: refine (.75) and shrink (.65). Otherwise: explore (.45).

    A difference within twice its standard error is said to be within noise, where the evaluator gives errors.
    """

    def __init__(self, config: Config) -> None:
        self.fitness = config.database.fitness_metric
        self.population = Database(config.database, declared_axes(config))

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        return cls(config)

    async def review(self, child: Elite, parent: Elite, calls: Calls) -> Review:
        difference = self.population.fitness(child.metrics) - self.population.fitness(parent.metrics)
        name = standard_error_of(self.fitness)
        error = math.hypot(child.metrics.get(name, 0.0), parent.metrics.get(name, 0.0))
        change = child.program.changes or "the change"
        noise = ", which is within noise" if abs(difference) < 2 * error else ""
        observation = f"{change}: {self.fitness} {difference:+.4g}{noise}"
        if difference > 0:
            ideas = (
                self._idea("refine", f"Go on from: {change}", "more of what helped", 0.75, child.id),
                self._idea(
                    "shrink", f"Keep what helped with less: {change}", "a smaller program", 0.65, child.id
                ),
            )
            belief = f"{change} {'may have helped' if noise else 'helped'}{noise}"
            return Review(observation, belief=belief, ideas=ideas)
        idea = self._idea("explore", f"Something else than: {change}", "another direction", 0.45, parent.id)
        return Review(observation, belief=f"{change} did not help{noise}", ideas=(idea,))

    async def review_failure(self, child: Failure, parent: Elite, calls: Calls) -> Review:
        kind, message = child.outcome.failure or "rejected", child.outcome.message.split("\n")[0]
        change = child.program.changes or "the last proposal"
        if child.outcome.failure is None:
            return Review(f"{change}: {message}", belief=f"{change} did not help on a cheap measurement")
        fix = self._idea("fix", f"{change}: {kind}: {message}", "the idea itself is tested", 0.9, parent.id)
        return Review(f"{change}: {kind}: {message}", ideas=(fix,))

    def _idea(self, kind: str, description: str, benefit: str, priority: float, parent: str) -> Idea:
        return Idea(kind, description, benefit, priority, _NAME, parent)
