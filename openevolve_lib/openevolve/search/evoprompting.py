"""EvoPrompting's parents (Chen, Dohan and So, 2023, arXiv 2302.14838)."""

from typing import Annotated

from pydantic import Field

from openevolve.population.database import Database
from openevolve.records.choice import Choice
from openevolve.records.program import Elite
from openevolve.settings.models import Config, Positive, Section
from openevolve.settings.registry import strategy
from openevolve.state.random import random_source
from openevolve.state.view import View

Count = Annotated[int, Field(ge=1)]


class EvoPromptingSettings(Section):
    """The paper's numbers. A round is ``prompts`` prompts with ``samples`` replies each."""

    parents: Count = 2  # of a prompt (k)
    fittest: Count = 10  # that parents are drawn from (p)
    prompts: Count = 10  # of a round (m)
    samples: Count = 16  # of a prompt (n)
    max_error: Positive = 0.5  # of a parent (alpha)
    perfect: float = 1.0  # the score whose error is 0
    size_metric: str | None = None  # None: database.tie_break_metric or, without one, characters of code
    temperatures: Annotated[tuple[float, ...], Field(min_length=1)] = (0.2, 0.6, 0.8, 1.0)
    target_size: Positive = 0.9  # of the parents' smallest
    target_score: Positive = 1.02  # of the parents' best


class Objective:
    """-(size x error) of programs, and the two by themselves."""

    def __init__(self, config: Config, settings: EvoPromptingSettings) -> None:
        self.config = config
        self.settings = settings

    @property
    def size_name(self) -> str:
        return self.settings.size_metric or self.config.database.tie_break_metric or "characters"

    def size(self, elite: Elite) -> float:
        """Programs that do not say it are as large as their text is long."""
        return elite.metrics.get(self.size_name, float(len(elite.program.code)))

    def error(self, population: Database, elite: Elite) -> float:
        return max(0.0, self.settings.perfect - population.fitness(elite.metrics))

    def value(self, population: Database, elite: Elite) -> float:
        return -self.size(elite) * self.error(population, elite)


@strategy("parents", "evoprompting")
class EvoPrompting:
    """``parents`` of the ``fittest`` programs that have not been parents yet, by -(size x error).

    A round draws from what was there when it began; ``samples`` iterations in a row share a prompt. Programs
    leave when they have been chosen, and those with too large an error never come in. Where too few are left,
    those that have been parents are drawn again.
    """

    Settings = EvoPromptingSettings

    def __init__(self, config: Config, settings: EvoPromptingSettings) -> None:
        self.config = config
        self.settings = settings
        self.objective = Objective(config, settings)

    def choose(self, view: View, iteration: int) -> Choice:
        population, samples = view.population, self.settings.samples
        prompt = (iteration - 1) // samples
        first = prompt * samples + 1
        earlier = view.choices.get(first)
        if iteration > first and earlier is not None and _members(population, _shown(earlier)):
            ids, rule = _shown(earlier), "same prompt"
        else:
            ids, rule = self._drawn(view, prompt, first)
        parent = population.member(ids[0])
        return Choice(iteration, parent.program.island, parent.id, inspirations=ids[1:], rule=rule)

    def _drawn(self, view: View, prompt: int, first: int) -> tuple[tuple[str, ...], str]:
        """The parents of a prompt, the fittest first, and by which rule; ``first`` is its first iteration."""
        settings = self.settings
        rng = random_source(self.config.random_seed, prompt, "selection")
        round_began = prompt // settings.prompts * settings.prompts * settings.samples + 1
        used = {name for i in range(1, first) if i in view.choices for name in _shown(view.choices[i])}
        ranked = self._ranked(view)
        fresh = [e for e in ranked if e.id not in used and e.program.iteration < round_began]
        count = min(settings.parents, len(ranked))
        pool = fresh[: settings.fittest]
        drawn = rng.sample(pool, min(count, len(pool)))
        rule = "fittest"
        if missing := count - len(drawn):
            rule = "fittest and again" if drawn else "again"
            others = [elite for elite in ranked if elite not in pool]
            drawn += rng.sample(others[: max(settings.fittest, missing)], missing)
        return tuple(elite.id for elite in ranked if elite in drawn), rule

    def _ranked(self, view: View) -> list[Elite]:
        """Those that may be parents, the fittest first; the initial program where there is no other."""
        population = view.population
        members = population.best(len(population))
        small = [e for e in members if self.objective.error(population, e) <= self.settings.max_error]
        return sorted(
            small or members, key=lambda e: (-self.objective.value(population, e), e.program.iteration)
        )


def _shown(choice: Choice) -> tuple[str, ...]:
    return (choice.parent, *choice.inspirations)


def _members(population: Database, ids: tuple[str, ...]) -> bool:
    """Whether all of them still are: a large population forgets its worst."""
    known = {elite.id for elite in population.best(len(population))}
    return known.issuperset(ids)
