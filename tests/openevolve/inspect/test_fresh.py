"""Two programs by measurements that chose nothing: the difference, its error, and its p-value."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from openevolve.inspect.comparing import compare
from openevolve.inspect.fresh import compared, student
from openevolve.inspect.reading import read_run
from openevolve.inspect.texts import comparison
from tests.support.finals import start


@given(st.floats(-50, 50), st.floats(1, 500))
def test_student_is_scipys(t: float, degrees: float) -> None:
    assert student(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees), rel=1e-8, abs=1e-14)


def test_of_one_unit_it_is_students_own_test() -> None:
    first, second = [0.81, 0.84, 0.79], [0.77, 0.78, 0.74, 0.8]
    found = compared([("u", 1.0, v) for v in first], [("u", 1.0, v) for v in second])
    expected = stats.ttest_ind(first, second)
    assert found is not None
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert (found["n"], found["degrees"]) == ([3, 4], pytest.approx(5))


def test_with_one_measurement_each_there_is_no_p_value() -> None:
    found = compared([("u", 0.5, 0.8), ("v", 0.5, 0.7)], [("u", 0.5, 0.6), ("w", 0.5, 0.1)])
    assert found == {
        "difference": pytest.approx(0.2), "units": 1, "n": [1, 1],
        "error": None, "degrees": None, "p_value": None,
    }  # fmt: skip
    assert compared([("u", 1.0, 0.8)], [("v", 1.0, 0.8)]) is None
    assert compared([], []) is None


@pytest.mark.parametrize("counts", [(2, 1), (2, 2), (5, 3)])
def test_the_level_is_kept(counts: tuple[int, int]) -> None:
    """Equal programs on two units of unlike noise: p ≤ 0.05 in about a twentieth of all cases."""
    rng = random.Random(repr(counts))
    units = (("calm", 0.5, 0.01), ("noisy", 0.5, 0.1))

    def measured(count: int) -> list[tuple[str, float, float]]:
        return [(unit, weight, rng.gauss(0, sd)) for unit, weight, sd in units for _ in range(count)]

    trials = 3000
    found = [compared(measured(counts[0]), measured(counts[1])) for _ in range(trials)]
    below = sum(each is not None and each["p_value"] <= 0.05 for each in found) / trials
    assert 0.01 <= below <= 0.062


def test_a_final_gives_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("final")
    with start(folder) as process:
        process.communicate(timeout=120)
    run = read_run(str(folder / "out"))
    assert run.state.final is not None
    first, second = run.state.final.candidates[:2]
    answer = compare(run, first, second)
    assert answer["afresh"]["units"] == 2
    assert answer["afresh"]["n"] == [
        sum(look.program_id == name for look in run.state.looks) for name in (first, second)
    ]
    assert "fresh measurements, " in comparison(answer)
    turned = compare(run, second, first)["afresh"]
    assert turned["p_value"] == pytest.approx(answer["afresh"]["p_value"])
    assert turned["difference"] == pytest.approx(-answer["afresh"]["difference"])
