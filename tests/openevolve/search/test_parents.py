"""Who is chosen: the same as from lists of all elites, whatever the size of the population."""

import random

from hypothesis import given
from hypothesis import strategies as st

from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.records.program import Elite, Program
from openevolve.search.parents import ExploreExploit, random_source
from openevolve.settings.files import load_config

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(POINTS, st.integers(1, 1000), st.integers(0, 4), st.integers(0, 4))
def test_inspirations_are_a_sample_of_the_elites_not_shown(
    points: list[tuple[int, int, int]], iteration: int, top: int, diverse: int
) -> None:
    config = load_config(
        None,
        [
            "features={a: {low: 0, high: 4, count: 4}, b: {low: 0, high: 4, count: 4}}",
            "database.num_islands=1",
            f"prompt.num_top_programs={top}",
            f"prompt.num_diverse_programs={diverse}",
        ],
    )
    database = Database(config.database, declared_axes(config))
    for i, (score, a, b) in enumerate(points):
        metrics = {"combined_score": float(score), "a": float(a), "b": float(b)}
        database.add(Elite(Program(f"p{i}", f"x = {i}", i, 0), metrics))
    context = ExploreExploit(config).choose(database, iteration)
    island = database.islands[0]
    shown = {context.parent.id, *(elite.id for elite in context.top)}
    others = [e for e in island.elites() if e.id not in shown]
    assert len(context.inspirations) == min(diverse, len(others))
    assert len({elite.id for elite in context.inspirations}) == len(context.inspirations)
    assert {elite.id for elite in context.inspirations} <= {elite.id for elite in others}
    rng = random_source(config.random_seed, iteration, "selection")
    rng.setstate(_after_the_parent(config.random_seed, iteration, database, ExploreExploit(config)))
    assert list(context.inspirations) == rng.sample(others, len(context.inspirations))


def _after_the_parent(
    seed: int, iteration: int, database: Database, selection: ExploreExploit
) -> tuple[object, ...]:
    """The state of the iteration's random numbers once its parent is drawn."""
    rng: random.Random = random_source(seed, iteration, "selection")
    selection._parent(database, database.islands[0], rng)
    return rng.getstate()
