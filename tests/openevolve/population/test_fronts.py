"""Fronts, crowding and elites against their definitions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from openevolve.population.fronts import Floats, crowding, dominance, fronts, nsga2, spea2

POINTS = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 24), st.just(2)), elements=st.integers(0, 6).map(float)
)


def beats(a: Floats, b: Floats) -> bool:
    return bool(all(a >= b) and any(a > b))


@given(POINTS)
def test_dominance_is_what_it_says(points: Floats) -> None:
    expected = [[beats(a, b) for b in points] for a in points]
    assert dominance(points).tolist() == expected


@given(POINTS)
def test_a_front_is_what_nothing_left_dominates(points: Floats) -> None:
    rank = fronts(points)
    for row, point in enumerate(points):
        above = [other for other, r in zip(points, rank, strict=True) if r < rank[row]]
        left = [other for other, r in zip(points, rank, strict=True) if r >= rank[row]]
        assert not any(beats(other, point) for other in left)
        assert rank[row] == 0 or any(beats(other, point) for other in above)


def test_crowding_is_the_papers() -> None:
    front = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding(front).tolist() == [np.inf, 3 / 4 + 3 / 4, 3 / 4 + 3 / 4, np.inf]


@given(POINTS, st.integers(1, 30))
def test_survivors_and_elites_are_so_many_and_none_is_dominated_by_one_left_out(
    points: Floats, count: int
) -> None:
    for select in (nsga2, spea2):
        kept = select(points, count)
        assert len(kept) == min(count, len(points)) == len(set(kept.tolist()))
        assert kept.tolist() == sorted(kept.tolist())
        out = sorted(set(range(len(points))) - set(kept.tolist()))
        if select is nsga2:
            assert not any(beats(points[o], points[k]) for o in out for k in kept)


@given(POINTS, st.integers(1, 30))
def test_elites_are_the_undominated_where_there_are_enough(points: Floats, count: int) -> None:
    best = set(np.flatnonzero(fronts(points) == 0).tolist())
    kept = set(spea2(points, count).tolist())
    assert kept <= best if len(best) >= count else best <= kept


def test_elites_keep_their_distance() -> None:
    line = np.array([[x, 10 - x] for x in (0.0, 0.1, 5.0, 5.1, 10.0)])
    kept = line[spea2(line, 3)][:, 0]
    assert len({round(x / 5) for x in kept}) == 3
