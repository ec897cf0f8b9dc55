"""Empirical Bayes: how programs differ over units, learned from all that was measured of all of them.

The expected values of a program over units, a vector of D, are drawn from a multivariate Student
distribution: normal with a covariance that each program divides by a weight of its own. Most programs
then lie close together and shrink towards each other, while a broken one does not widen the spread of
all. What was measured adds normal noise. Mean and covariance are fitted by EM (Lange, Little and Taylor,
1989, with measurement error); a unit that a program was not measured on is predicted by the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FREEDOM = 4.0  # degrees of freedom of the Student distribution
_PSEUDO = 2.0  # programs' worth of prior belief in the spread that is seen without any model
_NO_NOISE = 1e-9  # of the spread: what an exact value is taken to have, so that precisions stay finite
_WEIGHT_ROUNDS = 3


@dataclass(frozen=True)
class Data:
    """What was measured: (n, D) means and counts by program and unit, (D,) variances of the noise."""

    means: Floats
    counts: NDArray[np.int64]
    noise: Floats

    def rows(self, rows: NDArray[np.int64]) -> "Data":
        return Data(self.means[rows], self.counts[rows], self.noise)


@dataclass(frozen=True)
class Population:
    """Mean (D,) and covariance (D, D) of programs over units."""

    mean: Floats
    covariance: Floats


@dataclass(frozen=True)
class Posterior:
    """By program: means (n, D), covariances (n, D, D) and weights (n,)."""

    means: Floats
    covariances: Floats
    weights: Floats


def posterior(population: Population, data: Data) -> Posterior:
    """What is known of programs, given how programs are in general."""
    inverse: Floats = np.asarray(np.linalg.inv(population.covariance), dtype=np.float64)
    weights = np.ones(len(data.means))
    for _ in range(_WEIGHT_ROUNDS):
        means, covariances = _given_weights(population, inverse, data, weights)
        weights = _weights(population, inverse, means, covariances)
    return Posterior(means, covariances, weights)


def _given_weights(
    population: Population, inverse: Floats, data: Data, weights: Floats
) -> tuple[Floats, Floats]:
    noise = np.maximum(data.noise, _NO_NOISE * np.diag(population.covariance))
    precision = data.counts / noise
    prior = weights[:, None, None] * inverse
    units = np.arange(len(population.mean))
    total = prior.copy()
    total[:, units, units] += precision
    covariances: Floats = np.asarray(np.linalg.inv(total), dtype=np.float64)
    pull = precision * np.where(data.counts > 0, data.means - population.mean, 0.0)
    means: Floats = population.mean + np.einsum("nij,nj->ni", covariances, pull)
    return means, covariances


def _weights(population: Population, inverse: Floats, means: Floats, covariances: Floats) -> Floats:
    away = means - population.mean
    distance = np.einsum("ni,ij,nj->n", away, inverse, away) + np.einsum("ij,nji->n", inverse, covariances)
    weights: Floats = (FREEDOM + len(population.mean)) / (FREEDOM + distance)
    return weights


def fit(data: Data, start: Population | None, rounds: int) -> Population:
    """Mean and covariance by EM, from ``start`` or from robust moments. Every unit has been measured."""
    spread = _plain_spread(data)
    population = start or Population(_medians(data), np.diag(spread))
    for _ in range(rounds):
        found = posterior(population, data)
        weights = found.weights
        mean = weights @ found.means / weights.sum()
        away = found.means - mean
        scatter = np.einsum("n,ni,nj->ij", weights, away, away)
        scatter += np.einsum("n,nij->ij", weights, found.covariances)
        covariance = (scatter + _PSEUDO * np.diag(spread)) / (len(weights) + _PSEUDO)
        population = Population(mean, (covariance + covariance.T) / 2)
    return population


def _medians(data: Data) -> Floats:
    return np.array(
        [np.median(values[counts > 0]) for values, counts in zip(data.means.T, data.counts.T, strict=True)]
    )


def _plain_spread(data: Data) -> Floats:
    """Variance by unit: from the median distance to the median, at least that of the noise, above 0."""
    medians = _medians(data)
    spread = np.empty(len(medians))
    for unit, (values, counts) in enumerate(zip(data.means.T, data.counts.T, strict=True)):
        spread[unit] = (1.4826 * np.median(np.abs(values[counts > 0] - medians[unit]))) ** 2
    largest = max(float(spread.max()), float(data.noise.max()))
    floor = 1e-6 * np.maximum(np.abs(medians), 1e-3) ** 2
    return np.maximum(np.maximum(spread, data.noise), np.maximum(floor, 1e-4 * largest))
