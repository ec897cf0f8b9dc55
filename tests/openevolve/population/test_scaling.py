"""Axes that follow the values of programs: nobody stays in a cell that it does not belong to."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.population.axes import Axis
from openevolve.population.database import Database
from openevolve.population.scaling import next_scaling, scaled
from openevolve.records.program import Elite, Program
from openevolve.settings.models import DatabaseConfig

AXES = (
    Axis("speed", (0.25, 0.5, 0.75), follows=True),
    Axis("diversity", (0.5,), follows=True),
    Axis("size", (0.0,)),
)  # fmt: skip
VALUES = st.floats(-1e300, 1e300)
POINTS = st.tuples(st.sampled_from([0.1, 0.2, 0.3]), VALUES | st.floats(0, 1), VALUES, st.integers(0, 2))


def elite_at(number: int, point: tuple[float, float, float, int]) -> Elite:
    score, speed, size, island = point
    metrics = {"auc": score, "speed": speed, "size": size}
    return Elite(Program(f"p{number}", f"x = {number % 7}\ny = 2\n", number, island), metrics)


def lived(points: Sequence[tuple[float, float, float, int]], **settings: int) -> Database:
    config = {"fitness_metric": "auc", "num_islands": 3, **settings}
    database = Database(DatabaseConfig.model_validate(config), AXES)
    for number, point in enumerate(points):
        database.add(elite_at(number, point))
        if number % 5 == 4:
            for name, _, target in database.emigrants():
                database.settle(name, target)
    return database


@given(st.lists(POINTS, min_size=1, max_size=40), st.integers(1, 50))
def test_each_cell_holds_the_best_of_those_who_belong_there(
    points: list[tuple[float, float, float, int]], size: int
) -> None:
    database = lived(points, population_size=size, archive_size=1)
    for island in database.islands:
        best: dict[tuple[int, ...], str] = {}
        for key in island.ranked:
            best.setdefault(database.cell(island.members[key[-1]]), key[-1])
        assert island.cells == best
        assert island.occupied == sorted(best)
    everyone = {key[-1]: key for island in database.islands for key in island.ranked}
    by_cell: dict[tuple[int, ...], list[tuple[float, float, int, str]]] = {}
    for name, key in everyone.items():
        by_cell.setdefault(database.cell(database.member(name)), []).append(key)
    assert database.archive_cells == {cell: min(keys) for cell, keys in by_cell.items()}
    assert database.axes[2] == AXES[2]


@given(st.lists(POINTS, min_size=1, max_size=30))
def test_equal_lives_give_equal_axes(points: list[tuple[float, float, float, int]]) -> None:
    assert lived(points).axes == lived(points).axes


@given(st.lists(VALUES, min_size=1), st.integers(2, 12))
def test_edges_rise_and_lie_among_the_values(values: list[float], bins: int) -> None:
    axis = Axis("speed", tuple(i / bins for i in range(1, bins)), follows=True)
    found = scaled(axis, values)
    assert found.bins == bins
    if found != axis:
        assert min(values) < found.edges[0]
        assert found.edges[-1] < max(values)
        assert [*found.edges] == sorted(set(found.edges))


def test_an_axis_is_cut_into_equal_bins() -> None:
    axis = Axis("speed", (0.25, 0.5, 0.75), follows=True)
    assert scaled(axis, [10.0, 12.0, 18.0, 14.0]).edges == pytest.approx((12.0, 14.0, 16.0))


def test_a_value_far_outside_does_not_stretch_an_axis() -> None:
    axis = Axis("speed", (0.25, 0.5, 0.75), follows=True)
    usual = [float(value) for value in range(9)]
    assert scaled(axis, [*usual, 1e12]).edges == scaled(axis, usual).edges
    assert scaled(axis, usual).bin(1e12) == 3


def test_values_that_do_not_differ_leave_an_axis_as_it_is() -> None:
    axis = Axis("speed", (0.25, 0.5, 0.75), follows=True)
    assert scaled(axis, [3.0, 3.0, 3.0]) == axis


def test_edges_move_ever_more_seldom() -> None:
    moments = [1]
    while moments[-1] < 1000:
        moments.append(next_scaling(moments[-1]))
    assert moments[:7] == [1, 2, 3, 4, 6, 9, 13]
    assert len(moments) < 25


def test_the_axes_of_an_earlier_time_are_known() -> None:
    points = [(0.1, float(i), 0.0, 0) for i in range(6)]
    database = lived(points)
    for count in range(7):
        names = {f"p{i}" for i in range(count)}
        assert database.axes_for(names) == lived(points[:count]).axes


def test_similar_programs_fill_several_cells() -> None:
    """On fixed edges from 0 to 1 all of these were in one cell."""
    database = lived([(0.1, 0.501 + i / 10_000, 0.0, 0) for i in range(30)])
    assert len({database.cell(elite)[0] for elite in database.best(30)}) == 4
