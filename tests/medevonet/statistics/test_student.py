"""Student's t, equivalence and several tests at once."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medevonet.statistics.student import (
    equivalence_p_value,
    holm,
    power,
    two_sided_p_value,
    upper_quantile,
    upper_tail,
)


def test_tails_of_student_are_those_of_the_tables() -> None:
    assert upper_quantile(0.025, 4) == pytest.approx(2.7764, abs=1e-4)
    assert upper_quantile(0.025, math.inf) == pytest.approx(1.959964, abs=1e-6)
    assert two_sided_p_value(2.7764, 1.0, 4) == pytest.approx(0.05, abs=1e-5)
    assert two_sided_p_value(-0.0196, 0.01, math.inf) == pytest.approx(0.05, abs=1e-4)


def test_no_error_at_all_gives_the_limit() -> None:
    assert two_sided_p_value(0.0, 0.0, math.inf) == 1
    assert two_sided_p_value(0.1, 0.0, math.inf) == 0
    assert equivalence_p_value(0.005, 0.0, math.inf, 0.01) == 0
    assert equivalence_p_value(0.01, 0.0, math.inf, 0.01) == 1
    assert power(0.01, 0.0, 4) == 1


@settings(deadline=None)
@given(st.floats(0.001, 0.999), st.floats(1, 200))
def test_quantile_and_tail_are_inverse(tail: float, degrees: float) -> None:
    assert upper_tail(upper_quantile(tail, degrees), degrees) == pytest.approx(tail, rel=1e-6)


def test_power_is_the_share_of_simulated_trials_that_reject() -> None:
    rng = np.random.default_rng(0)
    trials, n, effect = 20_000, 6, 1.8
    a, b = rng.normal(size=(trials, n)), rng.normal(effect, size=(trials, n))
    errors = np.sqrt((a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / n)
    rejected = np.abs(b.mean(axis=1) - a.mean(axis=1)) / errors > upper_quantile(0.025, 2 * n - 2)
    assert power(effect, math.sqrt(2 / n), 2 * n - 2) == pytest.approx(rejected.mean(), abs=0.01)
    assert power(0, 1.0, 2 * n - 2) == pytest.approx(0.05, abs=1e-6)


def test_equivalence_claims_falsely_in_one_of_twenty_at_the_margin() -> None:
    rng = np.random.default_rng(1)
    trials, n, margin = 20_000, 5, 0.8
    values = rng.normal(margin, 0.3, size=(trials, n))
    means, errors = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(n)
    claimed = [equivalence_p_value(m, e, n - 1, margin) < 0.05 for m, e in zip(means, errors, strict=True)]
    assert np.mean(claimed) == pytest.approx(0.05, abs=0.006)


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
