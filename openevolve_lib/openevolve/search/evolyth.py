"""Evolyth's parents: a formula over programs, and queued ideas before it."""

import math
from collections import Counter

import numpy as np

from openevolve.population.fronts import fronts
from openevolve.records.choice import Choice
from openevolve.records.program import Elite
from openevolve.settings.models import Config, Section
from openevolve.settings.registry import strategy
from openevolve.state.view import View


class EvolythSettings(Section):
    """The weights of Evolyth's formula."""

    score: float = 0.55
    pareto: float = 0.25
    exploration: float = 0.15
    status: float = 0.1
    generation: float = 0.01
    size_metric: str | None = None  # None: database.tie_break_metric or, without one, characters of code


@strategy("parents", "evolyth")
class Evolyth:
    """The idea of the highest priority is tried first, on the program that it is about. Without one:

    argmax of .55 score + .25 [on the Pareto front] + .15 / sqrt(1 + children) +- .10 status - .01 generation
    (Evolyth's own selection), where the front is that of fitness and size, and status is -1 for a program
    whose latest child failed, else 1. There, every program with a score succeeded; a failed child says as
    much of a branch. The earlier program on a tie.
    """

    Settings = EvolythSettings

    def __init__(self, config: Config, settings: EvolythSettings) -> None:
        self.config = config
        self.settings = settings

    def choose(self, view: View, iteration: int) -> Choice:
        population, prompt = view.population, self.config.prompt
        members = sorted(population.best(len(population)), key=lambda elite: elite.program.iteration)
        idea = next(iter(view.queued_ideas), None)
        known = {elite.id: elite for elite in members}
        about = known.get(idea.parent) if idea else None
        parent = about or self._best(members, view)
        failures = population.failures_of(parent.id)[: prompt.num_failures]
        top = [elite for elite in population.best(prompt.num_top_programs + 1) if elite.id != parent.id]
        return Choice(
            iteration=iteration,
            island=parent.program.island,
            parent=parent.id,
            top=tuple(elite.id for elite in top[: prompt.num_top_programs]),
            failures=tuple(failure.program.iteration for failure in failures),
            rule="idea" if idea else "formula",
            idea=idea.key if idea else "",
        )

    def _best(self, members: list[Elite], view: View) -> Elite:
        settings, population = self.settings, view.population
        scores = [population.fitness(elite.metrics) for elite in members]
        on_front = fronts(np.array([[s, -self._size(e)] for s, e in zip(scores, members, strict=True)])) == 0
        children = Counter(choice.parent for choice in view.choices.values())

        def value(row: int) -> float:
            elite = members[row]
            status = -1 if view.latest_child_failed(elite.id) else 1
            return (
                settings.score * scores[row]
                + settings.pareto * bool(on_front[row])
                + settings.exploration / math.sqrt(1 + children[elite.id])
                + settings.status * status
                - settings.generation * elite.program.generation
            )

        return members[max(range(len(members)), key=value)]

    def _size(self, elite: Elite) -> float:
        name = self.settings.size_metric or self.config.database.tie_break_metric
        return elite.metrics.get(name or "", float(len(elite.program.code)))
