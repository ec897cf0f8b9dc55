"""What is known of every program: an estimate of its fitness with its error, from all measurements.

A score is an estimate. Programs measured once, often or in part stand on one scale, since a model of
how programs and noise are in general (``hierarchy``, ``noise``) fills in what was not measured and takes
back what was luck. Where nothing was measured twice, noise is unknown and values are taken as exact.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from openevolve.population.hierarchy import Data, Floats, Population, fit, posterior
from openevolve.population.noise import pooled_variance
from openevolve.population.scales import Scale, expected
from openevolve.population.tallies import Tallies
from openevolve.records.measurement import Measurement, Unit, fitness_weights

_GROWTH = 1.15  # of the measurements, until the population is fitted again
_FIRST_ROUNDS, _FURTHER_ROUNDS = 30, 8  # of EM
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Estimate:
    """Mean and standard error of a quantity; of a fitness: over trainings, on the images at hand."""

    mean: float
    sd: float

    def exceeds(self, value: float) -> float:
        """The probability that the quantity is above a value."""
        return probability_above(self.mean - value, self.sd)


def probability_above(mean: float, sd: float) -> float:
    """Of a normal quantity to be above 0; with no spread 0, one half (a tie) or 1."""
    if sd > 0:
        return _NORMAL.cdf(mean / sd)
    return 0.5 if mean == 0 else float(mean > 0)


class Estimates:
    """Estimates of programs, kept up to date measurement by measurement.

    Equal measurements in equal order give equal estimates. A new measurement changes its own program at
    once; mean, covariance and noise of all are fitted again each time that the measurements have grown
    by 15%. Final measurements are no part of it. Units are few (some 20): time grows with their cube.
    """

    def __init__(self, units: Sequence[Unit], scales: Mapping[str, Scale] | None = None) -> None:
        """``scales`` by group; those without are not transformed. Raises ValueError for no units."""
        if not any(not unit.proxy for unit in units):
            raise ValueError("expected at least one unit that is no proxy, found none")
        self.units = tuple(units)
        self._tallies = Tallies(units, scales or {})
        weights = fitness_weights(units)
        self._weights = np.array([weights.get(unit.name, 0.0) for unit in units])
        self._population: Population | None = None
        self._active: NDArray[np.bool_] = np.zeros(
            len(units), dtype=np.bool_
        )  # units that some program was measured on
        self._noise = np.zeros(len(units))  # variance on the scale, and
        self._degrees = np.zeros(len(units), dtype=np.int64)  # from how many repeats beyond the first
        self._fit_at = 0  # measurements at which the next fit is due
        self.fits = 0  # how often what is known of all was worked out anew
        self._means = np.empty((0, len(units)))
        self._covariances = np.empty((0, len(units), len(units)))
        self._fitness = np.empty((0, 2))  # mean and sd

    # What is known

    @property
    def ids(self) -> Sequence[str]:
        """Programs, in the order of their first measurement."""
        return self._tallies.ids

    def __len__(self) -> int:
        return len(self._tallies.ids)

    def __contains__(self, program_id: str) -> bool:
        return program_id in self._tallies.rows

    def row(self, program_id: str) -> int:
        """Where a program stands in ``ids``, ``means`` and ``sds``. Raises KeyError."""
        return self._tallies.rows[program_id]

    @property
    def means(self) -> Floats:
        """(n,) expected fitness."""
        return self._fitness[: len(self), 0]

    @property
    def sds(self) -> Floats:
        """(n,) standard error of the fitness."""
        return self._fitness[: len(self), 1]

    def of(self, program_id: str) -> Estimate:
        mean, sd = self._fitness[self.row(program_id)]
        return Estimate(float(mean), float(sd))

    def difference(self, first: str, second: str) -> Estimate:
        """Fitness of the first less that of the second."""
        a, b = self.of(first), self.of(second)
        return Estimate(a.mean - b.mean, math.hypot(a.sd, b.sd)) if first != second else Estimate(0.0, 0.0)

    def probability_better(self, first: str, second: str) -> float:
        """That the first program's fitness is above the second's; one half on a tie."""
        return self.difference(first, second).exceeds(0.0)

    def draw(self, rng: np.random.Generator) -> Floats:
        """(n,) one fitness of each program that what is known allows (Thompson)."""
        return self.means + self.sds * rng.standard_normal(len(self))

    def count(self, program_id: str, unit: str) -> int:
        """How often a program was measured on a unit."""
        row = self._tallies.rows.get(program_id)
        return 0 if row is None else int(self._tallies.counts[row, self._tallies.columns[unit]])

    def measured(self, program_id: str, unit: str) -> float:
        """Mean of what was measured. Raises KeyError where nothing was of the program."""
        return float(self._tallies.values[self.row(program_id), self._tallies.columns[unit]])

    def counts(self) -> NDArray[np.int64]:
        """(n, units) how often each program was measured."""
        return self._tallies.counts[: len(self)]

    def noise(self, unit: str) -> float:
        """Standard deviation of one measurement on the unit's scale; 0 where none is known."""
        return math.sqrt(self._noise[self._tallies.columns[unit]])

    @property
    def exact(self) -> bool:
        """Whether everything is known that can be: nothing would be learned from a further look."""
        return not self.sds.any()

    def noise_at_best(self, unit: str) -> float:
        """Standard deviation of one measurement, in values, of the program of the highest estimate."""
        row, column = int(np.argmax(self.means)), self._tallies.columns[unit]
        mean, variance = self._means[row, [column]], np.array([self._noise[column]])
        slope = expected(self._tallies.scales[column], mean, variance)[1]
        return float(slope[0]) * self.noise(unit)

    def interval(self, program_id: str, unit: str, level: float) -> tuple[float, float]:
        """Where a fresh measurement of the unit falls with probability ``level``.

        Student's, since the noise is known from so many repeats only.
        """
        from scipy import special  # only here: most runs ask for no interval

        row, column = self.row(program_id), self._tallies.columns[unit]
        noise = self._noise[column]
        variance = max(self._covariances[row, column, column] + noise, 0.0)
        degrees = float(max(self._degrees[column], 1)) if noise else math.inf
        reach = float(special.stdtrit(degrees, (1 + level) / 2)) * math.sqrt(variance)
        ends = self._means[row, column] + np.array([-reach, reach])
        low, high = self._tallies.scales[column].back(ends)
        return float(low), float(high)

    def reduction(self, row: int) -> Floats:
        """(units,) by how much one more measurement of a unit lowers the variance of a program's fitness.

        To first order in the slope of the fitness. Where a unit has no noise, a second look lowers nothing.
        """
        return self._reduction(self._means[row], self._covariances[row])

    def prior_reduction(self) -> Floats:
        """(units,) the same of a program that nothing was measured of."""
        assert self._population is not None
        active = np.flatnonzero(self._active)
        means, covariance = np.zeros(len(self.units)), np.zeros((len(self.units), len(self.units)))
        means[active] = self._population.mean
        covariance[active[:, None], active] = self._population.covariance
        return self._reduction(means, covariance)

    def _reduction(self, means: Floats, covariance: Floats) -> Floats:
        variances = np.diag(covariance)
        slopes = np.empty(len(self.units))
        for column, scale in enumerate(self._tallies.scales):
            of_unit = slice(column, column + 1)
            slopes[of_unit] = expected(scale, means[of_unit], variances[of_unit] + self._noise[of_unit])[1]
        weights = np.where(self._active, self._weights, 0.0)
        moved = (slopes * weights / weights.sum()) @ covariance
        total = variances + self._noise
        lowered: Floats = np.divide(moved**2, total, out=np.zeros_like(moved), where=total > 0)
        return lowered

    # What changes it

    def add(self, measurement: Measurement) -> None:
        """Take a measurement in. Raises ValueError for a unit not known, a value not finite or a repeat."""
        if measurement.final:
            return
        row, column = self._tallies.add(measurement)
        self._grow()
        if self._tallies.total >= self._fit_at or not self._active[column]:
            self._fit()
        else:
            self._update(np.array([row]))

    def _grow(self) -> None:
        if len(self) > len(self._fitness):
            room, units = 2 * len(self) + 14, len(self.units)
            self._means = _resized(self._means, (room, units))
            self._covariances = _resized(self._covariances, (room, units, units))
            self._fitness = _resized(self._fitness, (room, 2))

    def _fit(self) -> None:
        tallies = self._tallies
        self.fits += 1
        self._fit_at = max(tallies.total + 1, math.ceil(_GROWTH * tallies.total))
        counts = tallies.counts[: len(self)]
        active: NDArray[np.bool_] = np.asarray(counts.any(axis=0), dtype=np.bool_)
        self._noise = self._pooled_noise(counts)
        start = self._population if np.array_equal(active, self._active) else None
        self._active = active
        rounds = _FIRST_ROUNDS if start is None else _FURTHER_ROUNDS
        self._population = fit(self._data(np.arange(len(self))), start, rounds)
        self._update(np.arange(len(self)))

    def _pooled_noise(self, counts: NDArray[np.int64]) -> Floats:
        """By unit; one without repeats has that of its group's other units."""
        squares = self._tallies.squares[: len(self)]
        degrees = np.maximum(counts - 1, 0)
        noise = np.zeros(len(self.units))
        for column, unit in enumerate(self.units):
            alike = [i for i, other in enumerate(self.units) if other.group == unit.group]
            columns = [column] if degrees[:, column].any() else [i for i in alike if degrees[:, i].any()]
            self._degrees[column] = degrees[:, columns].sum()
            noise[column] = pooled_variance(squares[:, columns].ravel(), degrees[:, columns].ravel())
        return noise

    def _data(self, rows: NDArray[np.int64]) -> Data:
        """Of the active units."""
        tallies, active = self._tallies, self._active
        return Data(tallies.scaled[rows][:, active], tallies.counts[rows][:, active], self._noise[active])

    def _update(self, rows: NDArray[np.int64]) -> None:
        """Posterior and fitness of some programs, given how programs are in general."""
        assert self._population is not None
        found = posterior(self._population, self._data(rows))
        active = np.flatnonzero(self._active)
        covariances = np.zeros((len(rows), len(self.units), len(self.units)))
        covariances[:, active[:, None], active] = found.covariances
        means = np.zeros((len(rows), len(self.units)))
        means[:, active] = found.means
        exact = (self._tallies.counts[rows] > 0) & (self._noise == 0)
        means = np.where(exact, self._tallies.scaled[rows], means)
        covariances[exact[:, :, None] | exact[:, None, :]] = 0.0
        self._means[rows], self._covariances[rows] = means, covariances
        self._fitness[rows] = self._fitness_of(rows, means, covariances, exact)

    def _fitness_of(
        self, rows: NDArray[np.int64], means: Floats, covariances: Floats, exact: NDArray[np.bool_]
    ) -> Floats:
        """(rows, 2): mean and standard error of the mean over groups."""
        weights = np.where(self._active, self._weights, 0.0)
        variances = np.einsum("njj->nj", covariances) + self._noise
        values, slopes = np.empty_like(means), np.empty_like(means)
        for column, scale in enumerate(self._tallies.scales):
            values[:, column], slopes[:, column] = expected(scale, means[:, column], variances[:, column])
        values = np.where(exact, self._tallies.values[rows], values)
        slopes *= weights
        variance = np.einsum("ni,nij,nj->n", slopes, covariances, slopes)
        mean = (values * weights).sum(axis=1) / weights.sum()
        return np.column_stack([mean, np.sqrt(np.maximum(variance, 0.0)) / weights.sum()])


def _resized(array: Floats, shape: tuple[int, ...]) -> Floats:
    larger = np.zeros(shape)
    larger[: len(array)] = array
    return larger
