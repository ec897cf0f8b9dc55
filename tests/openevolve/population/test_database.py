"""Properties of the archive: fixed bins, one total order, islands."""

import math
import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.population.axes import Axis, declared_axes, dissimilarity, line_set
from openevolve.population.database import Database, Move
from openevolve.records.program import Elite, Failure, FailureKind, Outcome, Program
from openevolve.settings.files import load_config
from openevolve.settings.models import DatabaseConfig

AXES = (Axis("params", (4.0, 5.0, 6.0)), Axis("efficiency", (-8.0, -7.0)))
# Few distinct values, so that ties and shared cells are common.
POINT = st.tuples(
    st.sampled_from([0.5, 0.7, 0.9]),
    st.sampled_from([3.0, 4.0, 4.5, 6.5]),
    st.sampled_from([-9.0, -7.5, -1.0]),
)


def make_elite(iteration: int, point: tuple[float, float, float], island: int = 0) -> Elite:
    fitness, params, efficiency = point
    metrics = {"auc": fitness, "params": params, "efficiency": efficiency, "count": 10**params}
    return Elite(Program(f"p{iteration}", f"x = {iteration}", iteration, island), metrics)


def migrate_all(database: Database) -> list[Move]:
    moves = database.emigrants()
    for program, _, target in moves:
        database.settle(program, target)
    return moves


def make_database(**settings: object) -> Database:
    config = DatabaseConfig.model_validate(
        {"fitness_metric": "auc", "tie_break_metric": "count", "num_islands": 1, **settings}
    )
    return Database(config, AXES)


def rank(elite: Elite) -> tuple[float, float, int]:
    """The order that the design asks for, written out once more."""
    return (-elite.metrics["auc"], elite.metrics["count"], elite.program.iteration)


@given(st.lists(POINT, min_size=1, max_size=40))
def test_each_cell_holds_the_best_program_ever_added_to_it(
    points: Sequence[tuple[float, float, float]],
) -> None:
    database = make_database()
    elites = [make_elite(i, point) for i, point in enumerate(points)]
    for elite in elites:
        database.add(elite)
    best_of: dict[tuple[int, ...], Elite] = {}
    for elite in elites:
        cell = database.cell(elite)
        if cell not in best_of or rank(elite) < rank(best_of[cell]):
            best_of[cell] = elite
    assert database.islands[0].cells == {cell: elite.id for cell, elite in best_of.items()}
    assert database.best()[0] == min(elites, key=rank)


@given(st.lists(POINT, min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_the_archive_does_not_depend_on_the_order_of_arrival(
    points: Sequence[tuple[float, float, float]], rng: random.Random
) -> None:
    elites = [make_elite(i, point) for i, point in enumerate(points)]
    shuffled = elites[1:]
    rng.shuffle(shuffled)
    first, second = make_database(), make_database()
    for elite in elites:
        first.add(elite)
    for elite in [elites[0], *shuffled]:
        second.add(elite)
    assert first.islands[0].cells == second.islands[0].cells
    assert first.best(50) == second.best(50)
    assert first.stats() == second.stats()


@given(
    edges=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20, unique=True).map(sorted),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_value_stands_between_the_edges_of_its_bin(edges: list[float], value: float) -> None:
    axis = Axis("a", tuple(edges))
    number = axis.bin(value)
    assert number == 0 or edges[number - 1] <= value
    assert number == len(edges) or value < edges[number]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    database = make_database()
    with pytest.raises(ValueError, match="finite"):
        database.add(make_elite(0, (0.5, value, -7.0)))
    assert len(database) == 0


@given(st.lists(POINT, min_size=5, max_size=60), st.integers(5, 12))
def test_a_full_population_forgets_only_what_holds_no_cell(
    points: Sequence[tuple[float, float, float]], size: int
) -> None:
    database = make_database(population_size=size, archive_size=2)
    elites = [make_elite(i, point) for i, point in enumerate(points)]
    for elite in elites:
        database.add(elite)
    holders = set(database.islands[0].cells.values())
    assert len(database) <= max(size, len(holders) + 2)
    kept = {elite.id for elite in database.best(len(database))}
    assert holders <= kept
    assert database.best()[0] == min(elites, key=rank)


@given(
    st.lists(st.tuples(POINT, st.integers(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(3, 12),
    st.integers(1, 6),
)
def test_what_a_full_population_forgets_is_the_worst_that_may_go(
    steps: Sequence[tuple[tuple[float, float, float], int, bool]], size: int, archive_size: int
) -> None:
    """Looked for once more from scratch after every step, migrations included."""
    database = make_database(population_size=size, archive_size=archive_size, num_islands=2)
    for i, (point, island, migrate) in enumerate(steps):
        before = {elite.id: elite for elite in database.best(len(database))}
        new = make_elite(i, point, island)
        database.add(new)
        kept = {elite.id for elite in database.best(len(database))}
        holders = {holder for home in database.islands for holder in home.cells.values()}
        expected = sorted([*before.values(), new], key=rank)
        for elite in reversed(expected[archive_size:]):
            if len(expected) > size and elite.id not in holders:
                expected.remove(elite)
        assert kept == {elite.id for elite in expected}
        assert kept == {member for home in database.islands for member in home.members}
        if migrate:
            migrate_all(database)
        for home in database.islands:
            assert [database.cell(elite) for elite in home.elites()] == sorted(home.cells)
        assert database.stats().qd_score == math.fsum(-key[0] for key in database.archive_cells.values())


@given(st.lists(st.tuples(POINT, st.integers(0, 2)), min_size=1, max_size=40))
def test_migration_only_adds_what_a_neighbour_had(
    points: Sequence[tuple[tuple[float, float, float], int]],
) -> None:
    database = make_database(num_islands=3, migration_rate=0.3)
    for i, (point, island) in enumerate(points):
        database.add(make_elite(i, point, island))
    before = [set(island.members) for island in database.islands]
    best_before = [island.ranked[0] for island in database.islands]
    moves = migrate_all(database)
    for program, source, target in moves:
        assert program in before[source]
        assert program not in before[target]
        assert program in database.islands[target].members
    for settled, old in zip(database.islands, best_before, strict=True):
        assert settled.ranked[0] <= old
        assert settled.ranked == sorted(settled.ranked)
        assert {key[-1] for key in settled.ranked} == set(settled.members)


def test_the_first_program_settles_on_every_island() -> None:
    database = make_database(num_islands=4)
    database.add(make_elite(0, (0.5, 4.0, -7.5)))
    database.add(make_elite(1, (0.6, 4.0, -7.5), island=2))
    assert [len(island.members) for island in database.islands] == [1, 1, 2, 1]


def test_a_smaller_program_never_displaces_a_higher_score() -> None:
    database = make_database()
    database.add(make_elite(0, (0.9, 4.9, -7.5)))
    assert not database.add(make_elite(1, (0.89, 4.0, -7.5)))
    assert database.add(make_elite(2, (0.9, 4.0, -7.5)))  # a tie: fewer parameters
    assert list(database.islands[0].cells.values()) == ["p2"]


def test_failures_are_kept_by_parent_latest_first() -> None:
    database = make_database()
    for i in range(8):
        program = Program(f"c{i}", "", i + 1, 0, parent_ids=("p0",))
        database.add_failure(Failure(program, Outcome(f"c{i}", failure=FailureKind.CRASHED)))
    assert [failure.program.id for failure in database.failures_of("p0")] == ["c7", "c6", "c5", "c4", "c3"]
    assert database.failures_of("p1") == []


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"params": 4.0, "efficiency": -7.0, "auc": 0.5}, "'count'"),
        ({"params": 4.0, "auc": 0.5, "count": 1.0}, "'efficiency'"),
    ],
)
def test_a_missing_metric_is_named(metrics: Mapping[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_database().add(Elite(Program("p", "", 0, 0), metrics))


def test_a_fitness_metric_that_was_asked_for_has_to_be_there() -> None:
    database = Database(DatabaseConfig(fitness_metric="mean_auc"), ())
    with pytest.raises(ValueError, match=r"expected the metric 'mean_auc' .*, found \['auc', 'loss'\]"):
        database.fitness({"auc": 0.9, "loss": 0.1})


def test_without_a_combined_score_the_mean_of_the_others_counts() -> None:
    config = DatabaseConfig(fitness_metric="combined_score")
    database = Database(config, (Axis("size", (1.0,)),))
    assert database.fitness({"a": 0.2, "b": 0.6, "size": 100.0}) == pytest.approx(0.4)
    assert database.fitness({"combined_score": 0.9, "b": 0.6}) == 0.9


def test_built_in_axes_have_fixed_documented_ranges() -> None:
    config = load_config(
        None, ["max_code_length=1000", "database.feature_bins={complexity: 4, diversity: 2}"]
    )
    complexity, diversity = declared_axes(config)
    assert complexity.edges == (250.0, 500.0, 750.0)
    assert diversity.edges == (0.5,)


def test_declared_features_take_edges_or_a_range() -> None:
    config = load_config(None, ["features={a: {edges: [1, 2, 4]}, b: {low: 0, high: 3, count: 3}}"])
    assert [axis.edges for axis in declared_axes(config)] == [(1.0, 2.0, 4.0), (1.0, 2.0)]


@given(st.text("ab \n", max_size=20), st.text("ab \n", max_size=20))
def test_dissimilarity_is_a_distance_between_0_and_1(first: str, second: str) -> None:
    a, b = line_set(first), line_set(second)
    assert 0 <= dissimilarity(a, b) == dissimilarity(b, a) <= 1
    assert (dissimilarity(a, b) == 0) == (a == b)
