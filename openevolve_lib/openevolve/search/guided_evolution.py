"""Guided Evolution's parents (Morris, Jurado and Zutty, 2024, arXiv 2403.11446)."""

import random
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from openevolve.population.fronts import crowding_by_front, nsga2, spea2
from openevolve.records.choice import Choice
from openevolve.records.program import Elite
from openevolve.settings.models import Config, Fraction, Section
from openevolve.settings.registry import strategy
from openevolve.state.random import random_source
from openevolve.state.view import View

CREATE, MATE, MATE_BACK, THOUGHT, ROLE = "create", "mate", "mate back", "thought", "role"
Range = tuple[float, float]


class GuidedEvolutionSettings(Section):
    """The paper's numbers."""

    start: Annotated[int, Field(ge=1)] = 32  # programs made from the initial one
    survivors: Annotated[int, Field(ge=2)] = 32  # that parents are drawn from
    elites: Annotated[int, Field(ge=1)] = 44  # that thoughts are drawn from
    crossover: Fraction = 0.35
    mutation: Fraction = 0.8
    thought: Fraction = 0.25  # of the mutations
    paraphrase: Fraction = 0.1  # of the mutations: their task is put in other words first
    size_metric: str | None = None  # None: database.tie_break_metric or, without one, characters of code
    creation_temperature: Range = (0.05, 0.4)  # drawn uniformly between
    mutation_temperature: Range = (0.02, 0.35)
    crossover_temperature: Range = (0.05, 0.1)


@strategy("parents", "guided-evolution")
class GuidedEvolution:
    """Parents by tournaments on dominance and crowding, among NSGA-II's survivors of all programs so far.

    The objectives are fitness and the smallness of the program. The first ``start`` programs are made from
    the initial one. Two programs mate in two iterations, each once by the other's side. A child comes of one
    operator, drawn by the paper's rates of crossover and mutation; there a mated child may be mutated too.
    One of SPEA2's elites is shown for Evolution of Thought.
    """

    Settings = GuidedEvolutionSettings

    def __init__(self, config: Config, settings: GuidedEvolutionSettings) -> None:
        self.config = config
        self.settings = settings

    def choose(self, view: View, iteration: int) -> Choice:
        members = sorted(
            view.population.best(len(view.population)), key=lambda elite: elite.program.iteration
        )
        if iteration <= self.settings.start or len(members) == 1:
            return _choice(iteration, members[0], CREATE)
        latest = view.choices.get(iteration - 1)
        if latest is not None and latest.operator == MATE:
            known = {elite.id: elite for elite in members}
            if latest.parent in known and latest.inspirations[0] in known:
                back = _choice(iteration, known[latest.inspirations[0]], MATE_BACK)
                return replace(back, inspirations=(latest.parent,))
        return self._drawn(members, view, iteration)

    def _drawn(self, members: list[Elite], view: View, iteration: int) -> Choice:
        settings = self.settings
        rng = random_source(self.config.random_seed, iteration, "selection")
        points = np.array([[view.population.fitness(e.metrics), -self._size(e)] for e in members])
        pool = nsga2(points, settings.survivors)
        rank, distance = crowding_by_front(points[pool])

        def winner() -> int:
            first, second = rng.randrange(len(pool)), rng.randrange(len(pool))
            better = min((first, second), key=lambda row: (rank[row], -distance[row]))
            return int(pool[better])

        parent, mate = members[winner()], members[winner()]
        operator = self._operator(rng, mates=mate.id != parent.id)
        if operator in (MATE, MATE_BACK):
            return replace(_choice(iteration, parent, operator), inspirations=(mate.id,))
        if operator == THOUGHT:
            elites = [members[row] for row in spea2(points, settings.elites)]
            others = [elite for elite in elites if elite.id != parent.id and elite.program.iteration]
            if others:
                return replace(_choice(iteration, parent, THOUGHT), inspirations=(rng.choice(others).id,))
        return _choice(iteration, parent, ROLE)

    def _operator(self, rng: random.Random, *, mates: bool) -> str:
        settings = self.settings
        kind, mutates = rng.random() * (settings.crossover + settings.mutation), rng.random()
        if kind < settings.crossover and mates:
            return MATE
        return THOUGHT if mutates < settings.thought else ROLE

    def _size(self, elite: Elite) -> float:
        name = self.settings.size_metric or self.config.database.tie_break_metric
        return elite.metrics.get(name or "", float(len(elite.program.code)))


def _choice(iteration: int, parent: Elite, operator: str) -> Choice:
    return Choice(iteration, parent.program.island, parent.id, operator=operator)
