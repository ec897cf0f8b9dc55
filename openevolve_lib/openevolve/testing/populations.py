"""The contract of populations: inherit it and set ``population``, a class like ``Database``."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.population.axes import Axis
from openevolve.population.database import Database
from openevolve.records.program import Elite, Failure, FailureKind, Outcome, Program
from openevolve.settings.models import DatabaseConfig
from openevolve.testing.proposers import inherited

AXES = (Axis("size", (1.0, 2.0)), Axis("speed", (0.0,)))
ISLANDS = 3
often = settings(inherited, max_examples=150)
FIRST = (0.1, 0.5, 0.0, 0)  # where the first program stands
# Few values, so that ties and shared cells are common.
SCORE, SIZE = st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.5, 1.0, 2.5])
POINTS = st.tuples(SCORE, SIZE, st.sampled_from([-1.0, 0.0]), st.integers(0, ISLANDS - 1))
Point = tuple[float, float, float, int]
Ever = list[dict[str, Elite]]  # by island, who has been there
STEPS = st.lists(POINTS | st.just("migrate"), min_size=1, max_size=30)  # what happens to a population
ODD = st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, 1.0])
METRICS = st.dictionaries(st.sampled_from(["auc", "count", "size", "speed", "other"]), ODD)


def elite_at(iteration: int, point: Point) -> Elite:
    score, size, speed, island = point
    metrics = {"auc": score, "count": size * 100, "size": size, "speed": speed}
    return Elite(Program(f"p{iteration}", f"x = {iteration}", iteration, island), metrics)


def better(elite: Elite) -> tuple[float, float, int]:
    """The order that is asked for; smaller is better."""
    return -elite.metrics["auc"], elite.metrics["count"], elite.program.iteration


def seen(population: Database) -> object:
    """All that a run asks of a population."""
    islands = [(dict(i.cells), list(i.ranked), dict(i.members)) for i in population.islands]
    return islands, population.best(len(population)), population.archive(), population.stats()


class PopulationContract:
    """What every run relies on."""

    population: ClassVar[type[Any]]

    def build(self, **settings: Any) -> Database:
        fixed = {"fitness_metric": "auc", "tie_break_metric": "count", "num_islands": ISLANDS}
        built: Database = self.population(DatabaseConfig.model_validate(fixed | settings), AXES)
        return built

    def lived(self, steps: Sequence[Point | str], **settings: Any) -> tuple[Database, Ever]:
        """A population after these steps."""
        population, ever = self.build(**settings), [dict[str, Elite]() for _ in range(ISLANDS)]
        for iteration, step in enumerate([FIRST, *steps]):
            if isinstance(step, str):
                for program, source, target in population.emigrants():
                    population.settle(program, target)
                    ever[target][program] = ever[source][program]
            else:
                elite = elite_at(iteration, step)
                population.add(elite)
                for island in ever if iteration == 0 else [ever[step[3]]]:
                    island[elite.id] = elite
        return population, ever

    @often
    @given(STEPS, st.integers(1, 5), st.integers(1, 4))
    def test_limits_keep_the_best_and_the_holders(self, steps: list[Any], size: int, archive: int) -> None:
        """A cell's holder is the best of all that have ever been on its island."""
        population, ever = self.lived(steps, population_size=size, archive_size=archive)
        best = population.best(len(population))
        everyone = {name: elite for island in ever for name, elite in island.items()}
        assert best == sorted(best, key=better)
        assert best[:archive] == sorted(everyone.values(), key=better)[:archive]
        assert [population.best(n) for n in range(len(best))] == [best[:n] for n in range(len(best))]
        for island, elites, scores in zip(population.islands, ever, population.cell_fitness(), strict=True):
            holders: dict[tuple[int, ...], Elite] = {}
            for elite in sorted(elites.values(), key=better):
                holders.setdefault(population.cell(elite), elite)
            assert {cell: island.elite(cell) for cell in island.cells} == holders
            assert scores == {cell: elite.metrics["auc"] for cell, elite in holders.items()}
            assert island.best(99) == [elite for elite in best if elite.id in island.members]
        assert {elite.id for elite in best} == {name for i in population.islands for name in i.members}
        assert len(best) <= max(size, archive + sum(len(i.cells) for i in population.islands))

    @often
    @given(STEPS)
    def test_settling_again_changes_nothing(self, steps: list[Any]) -> None:
        population, _ = self.lived(steps)
        moves = population.emigrants()
        for program, source, target in moves:
            assert program in population.islands[source].members
            assert program not in population.islands[target].members
        assert len({(program, target) for program, _, target in moves}) == len(moves)
        settled = []
        for move in (*moves, *moves):
            population.settle(move[0], move[2])
            settled.append(seen(population))
        assert settled[len(moves) :] == settled[len(moves) - 1 : len(moves)] * len(moves)

    @often
    @given(STEPS, METRICS)
    def test_what_is_refused_is_refused_beforehand_and_changes_nothing(
        self, steps: list[Any], metrics: dict[str, float]
    ) -> None:
        population, _ = self.lived(steps)
        before, elite = seen(population), Elite(Program("new", "", 99, 0), metrics)
        refusal = None
        try:
            population.check(elite)
        except ValueError as error:
            refusal = str(error)
        assert seen(population) == before
        with pytest.raises(ValueError, match=re.escape(refusal)) if refusal else nullcontext():
            population.add(elite)
        assert (seen(population) == before) == bool(refusal)

    @often
    @given(STEPS, st.integers(0, 30))
    def test_a_note_is_shown_wherever_its_program_is(self, steps: list[Any], number: int) -> None:
        population, _ = self.lived(steps, population_size=5, archive_size=1)
        order, name = [elite.id for elite in population.best(99)], f"p{number}"
        population.annotate(name, "review", "well done")
        assert [elite.id for elite in population.best(99)] == order
        shown = [*population.best(99), *population.archive()]
        shown += [elite for island in population.islands for elite in island.best(99)]
        assert all(("review" in elite.artifacts) == (elite.id == name) for elite in shown)
        with nullcontext() if name in order else pytest.raises(KeyError):
            assert population.member(name).artifacts == {"review": "well done"}

    @often
    @given(st.lists(st.lists(st.sampled_from(["p0", "p1"]), unique=True), max_size=12))
    def test_failures_are_kept_by_parent_the_latest_first(self, parents: list[list[str]]) -> None:
        population, _ = self.lived([])
        programs = [Program(f"f{i}", "", i + 1, 0, tuple(ids)) for i, ids in enumerate(parents)]
        failures = [Failure(p, Outcome(p.id, failure=FailureKind.CRASHED)) for p in programs]
        for failure in failures:
            population.add_failure(failure)
        for parent in ("p0", "p1", "p2"):
            of_parent = [failure for failure in reversed(failures) if parent in failure.program.parent_ids]
            kept = population.failures_of(parent)
            assert kept == of_parent[: len(kept)]
            assert bool(kept) == bool(of_parent)
