"""Which program is changed next, and what the proposer sees beside it: one small class a strategy."""

import random
from collections.abc import Sequence
from typing import Protocol

from openevolve.population.database import Database
from openevolve.population.island import Island
from openevolve.records.program import Context, Elite
from openevolve.settings.models import Config


def random_source(seed: int, iteration: int, purpose: str) -> random.Random:
    """Random numbers that depend on nothing but their arguments: equal seeds, equal run."""
    return random.Random(f"{seed}/{iteration}/{purpose}")


class Selection(Protocol):
    """Chooses the context of an iteration from the population as it stands."""

    def choose(self, database: Database, iteration: int) -> Context: ...


class ExploreExploit:
    """OpenEvolve's mix of parents, on the islands in turn.

    ``exploration_ratio`` of the parents are drawn uniformly from the occupied cells of the island,
    ``exploitation_ratio`` from the island's share of the ``archive_size`` best programs of all, the
    rest from the best ``elite_selection_ratio`` of the island.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def choose(self, database: Database, iteration: int) -> Context:
        rng = random_source(self.config.random_seed, iteration, "selection")
        number = iteration % len(database.islands)
        island = database.islands[number]
        parent = self._parent(database, island, rng)
        prompt = self.config.prompt
        top = [elite for elite in island.best(prompt.num_top_programs + 1) if elite.id != parent.id]
        top = top[: prompt.num_top_programs]
        return Context(
            iteration=iteration,
            island=number,
            parent=parent,
            rng=random_source(self.config.random_seed, iteration, "proposal"),
            top=tuple(top),
            inspirations=self._inspirations(database, island, [parent, *top], rng),
            failures=tuple(database.failures_of(parent.id)[: prompt.num_failures]),
        )

    def _parent(self, database: Database, island: Island, rng: random.Random) -> Elite:
        settings = self.config.database
        draw = rng.random()
        if draw < settings.exploration_ratio:
            return rng.choice(island.elites())
        if draw < settings.exploration_ratio + settings.exploitation_ratio:
            archive = database.best(settings.archive_size)
            return rng.choice([elite for elite in archive if elite.id in island.members] or island.elites())
        best = max(1, round(settings.elite_selection_ratio * len(island.members)))
        return island.ranking(rng.randrange(best))

    def _inspirations(
        self, database: Database, island: Island, shown: Sequence[Elite], rng: random.Random
    ) -> tuple[Elite, ...]:
        """Elites of the island other than those shown: drawn by number, since a list of all takes long."""
        elites = island.elites()
        places = {island.position(elite.id, database.cell(elite)) for elite in shown}
        skipped = sorted(place for place in places if place is not None)
        others = range(len(elites) - len(skipped))
        drawn = rng.sample(others, min(self.config.prompt.num_diverse_programs, len(others)))
        return tuple(elites[_past(number, skipped)] for number in drawn)


def _past(number: int, skipped: Sequence[int]) -> int:
    """The place of the ``number``-th of all that are not ``skipped`` (rising)."""
    for place in skipped:
        number += number >= place
    return number
