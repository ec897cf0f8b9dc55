"""Parents without a search, for comparisons: what a search has to beat with the same proposals."""

from abc import ABC, abstractmethod

from openevolve.records.choice import Choice
from openevolve.records.program import Elite
from openevolve.search.explore_exploit import draw_elites
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy
from openevolve.state.random import random_source
from openevolve.state.view import View


class AmongAll(ABC):
    """Chooses a parent among all programs; the prompt shows beside it what ``prompt`` asks for."""

    def __init__(self, config: Config, settings: NoSettings) -> None:
        self.config = config

    @abstractmethod
    def parent(self, view: View, iteration: int) -> Elite: ...

    def choose(self, view: View, iteration: int) -> Choice:
        population, prompt = view.population, self.config.prompt
        parent = self.parent(view, iteration)
        top = [elite for elite in population.best(prompt.num_top_programs + 1) if elite.id != parent.id]
        top = top[: prompt.num_top_programs]
        rng = random_source(self.config.random_seed, iteration, "selection")
        island = population.islands[parent.program.island]
        shown = {parent.id, *(elite.id for elite in top)}
        failures = population.failures_of(parent.id)[: prompt.num_failures]
        return Choice(
            iteration=iteration,
            island=parent.program.island,
            parent=parent.id,
            top=tuple(elite.id for elite in top),
            inspirations=draw_elites(island, prompt.num_diverse_programs, shown, rng),
            failures=tuple(failure.program.iteration for failure in failures),
        )


@strategy("parents", "initial")
class Initial(AmongAll):
    """The initial program: independent samples of the proposer, of which the best counts (best-of-N)."""

    def parent(self, view: View, iteration: int) -> Elite:
        return min(members_of(view), key=lambda elite: elite.program.iteration)


@strategy("parents", "latest")
class Latest(AmongAll):
    """The program with a score that counted last: sequential conditioning."""

    def parent(self, view: View, iteration: int) -> Elite:
        members = {elite.program.iteration: elite for elite in members_of(view)}
        return next(members[i] for i in _latest_first(view, members))


@strategy("parents", "random")
class Random(AmongAll):
    """Every program is as likely: no selection."""

    def parent(self, view: View, iteration: int) -> Elite:
        members = sorted(members_of(view), key=lambda elite: elite.program.iteration)
        return random_source(self.config.random_seed, iteration, "parent").choice(members)


@strategy("parents", "best")
class Best(AmongAll):
    """The best program of all: hill climbing."""

    def parent(self, view: View, iteration: int) -> Elite:
        return view.population.best()[0]


def members_of(view: View) -> list[Elite]:
    return view.population.best(len(view.population))


def _latest_first(view: View, members: dict[int, Elite]) -> list[int]:
    known = [iteration for iteration in reversed(view.committed) if iteration in members]
    return known or sorted(members, reverse=True)
