"""Tests of two models on the same cases: level, power, symmetry, several data sets."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medevonet.statistics.auc import Probabilities
from medevonet.statistics.paired_tests import (
    PairedDifference,
    bootstrap_p_value,
    holm,
    mean_difference,
    normal_p_value,
    paired_difference,
    report,
    table,
)


def two_models(
    rng: np.random.Generator, cases: int, gain: float
) -> tuple[Probabilities, Probabilities, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Scores that share half their noise; B's positives stand higher by the gain."""
    labels = rng.integers(2, size=(cases, 1))
    shared = rng.normal(size=(cases, 1))
    a, b = (shared + rng.normal(size=(cases, 1)) + (1 + g) * labels for g in (0, gain))
    return a, b, labels


def compared(rng: np.random.Generator, cases: int, gain: float, replicates: int) -> PairedDifference:
    a, b, labels = two_models(rng, cases, gain)
    return paired_difference([a], [b], labels, "binary", rng, replicates)


def test_p_values_of_equal_models_are_uniform() -> None:
    rng = np.random.default_rng(0)
    results = [compared(rng, 150, 0, 300) for _ in range(400)]
    for p_values in ([each.bootstrap_p for each in results], [each.delong_p for each in results]):
        assert np.mean(p_values) == pytest.approx(0.5, abs=0.06)
        assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09
    assert 0.91 <= np.mean([each.ci95[0] <= 0 <= each.ci95[1] for each in results]) <= 0.98


def test_a_clear_gain_is_found_by_both_tests() -> None:
    result = compared(np.random.default_rng(1), 800, 0.6, 2000)
    assert result.bootstrap_p == 2 / 2001  # no replicate crossed zero
    assert 0 < result.delong_p < 0.001
    assert 0 < result.ci95[0] < result.difference < result.ci95[1]


def test_bootstrap_and_delong_p_values_agree_in_between() -> None:
    result = compared(np.random.default_rng(2), 400, 0.15, 10_000)
    assert 0.01 < result.delong_p < 0.5
    assert result.bootstrap_p == pytest.approx(result.delong_p, rel=0.2)


def test_models_of_equal_order_do_not_differ() -> None:
    a, _, labels = two_models(np.random.default_rng(3), 60, 0)
    result = paired_difference([a], [np.exp(a)], labels, "binary", np.random.default_rng(0), 200)
    assert (result.difference, result.ci95) == (0, (0, 0))
    assert (result.bootstrap_p, result.delong_p) == (1, 1)


def test_swapping_the_models_negates_the_difference() -> None:
    a, b, labels = two_models(np.random.default_rng(4), 100, 0.3)
    forward = paired_difference([a], [b], labels, "binary", np.random.default_rng(0), 500)
    backward = paired_difference([b], [a], labels, "binary", np.random.default_rng(0), 500)
    assert backward.difference == -forward.difference
    np.testing.assert_array_equal(backward.replicates, -forward.replicates)
    assert (backward.bootstrap_p, backward.delong_p) == (forward.bootstrap_p, forward.delong_p)


def test_mean_over_independent_data_sets() -> None:
    rng = np.random.default_rng(5)
    results = [compared(rng, cases, 0.3, 3000) for cases in (80, 400, 150)]
    mean = mean_difference(results)
    assert mean.cases == 630
    assert mean.difference == pytest.approx(np.mean([each.difference for each in results]))
    assert mean.standard_error == pytest.approx(
        math.sqrt(sum(each.standard_error**2 for each in results)) / 3
    )
    assert mean.replicates.std(ddof=1) == pytest.approx(mean.standard_error, rel=0.06)


def test_bootstrap_p_counts_the_smaller_tail_twice() -> None:
    assert bootstrap_p_value(np.array([0.1] * 97 + [-0.1] * 2)) == 2 * 3 / 100
    assert bootstrap_p_value(np.array([-0.1] * 97 + [0.1] * 2)) == 2 * 3 / 100
    assert bootstrap_p_value(np.array([0.1] * 98 + [0.0])) == 2 * 2 / 100
    assert bootstrap_p_value(np.zeros(99)) == 1


def test_normal_p_value() -> None:
    assert normal_p_value(1.959963984540054, 1.0) == pytest.approx(0.05)
    assert normal_p_value(-0.0196, 0.01) == pytest.approx(0.05, abs=1e-4)
    assert normal_p_value(0.0, 0.0) == 1
    assert normal_p_value(0.1, 0.0) == 0


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_order_and_lies_between_none_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1, len(p_values) * p)
    in_order = [adjusted[i] for i in np.argsort(p_values, kind="stable")]
    assert in_order == sorted(in_order)


def test_table_has_aligned_columns_that_say_what_the_report_says() -> None:
    rng = np.random.default_rng(6)
    numbers = report({"short": compared(rng, 80, 0.4, 200), "a-longer-name": compared(rng, 900, 0.1, 200)})
    lines = table(numbers).splitlines()
    assert len({len(line) for line in lines}) == 1
    names, *rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == ["short", "a-longer-name", "mean"]
    assert all(len(row) == len(names) for row in rows)
    short = dict(zip(names, rows[0], strict=True))
    assert float(short["b-a"]) == pytest.approx(numbers["datasets"]["short"]["difference"], abs=5e-5)
    assert float(short["ci95_high"]) == pytest.approx(numbers["datasets"]["short"]["ci95"][1], abs=5e-5)
    assert rows[2][names.index("boot_p_holm")] == "-"
