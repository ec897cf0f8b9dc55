"""The noise of repeats: right on average where it is normal, and not moved by what went astray."""

import numpy as np
import pytest

from openevolve.population.noise import pooled_variance


@pytest.mark.parametrize("repeats", [2, 3, 6])
def test_normal_noise_has_its_variance(repeats: int) -> None:
    values = np.random.default_rng(1).normal(0, 2, (100_000, repeats))
    squares = values.var(axis=1) * repeats
    degrees = np.full(len(values), repeats - 1)
    assert pooled_variance(squares, degrees) == pytest.approx(4.0, rel=0.01)


def test_a_training_that_went_astray_counts_for_little() -> None:
    values = np.random.default_rng(2).normal(0, 1, (100, 2))
    values[0, 0] = 100
    squares = values.var(axis=1) * 2
    assert pooled_variance(squares, np.ones(100, dtype=np.int64)) < 1.5


def test_nothing_repeated_is_no_noise() -> None:
    assert pooled_variance(np.zeros(3), np.zeros(3, dtype=np.int64)) == 0.0
