"""Counts, means and sums of squares of what was measured, by program and unit."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from openevolve.population.scales import SCALES, Scale
from openevolve.records.measurement import Measurement, Unit


class Tallies:
    """Rows are programs in the order of their first measurement, columns are units.

    ``values`` are means of what was measured, ``scaled`` means on the group's scale and ``squares`` sums
    of squares about those (Welford, 1962). Equal values have exactly that mean and no squares. The arrays
    have room for more rows than ``ids`` has programs.
    """

    def __init__(self, units: Sequence[Unit], scales: Mapping[str, Scale]) -> None:
        self.columns = {unit.name: column for column, unit in enumerate(units)}
        if len(self.columns) != len(units):
            raise ValueError(f"expected units of different names, found {[unit.name for unit in units]}")
        self.scales = [scales.get(unit.group, SCALES["identity"]) for unit in units]
        self.ids: list[str] = []
        self.rows: dict[str, int] = {}
        self.total = 0
        self.counts = np.zeros((0, len(units)), dtype=np.int64)
        self.values = np.zeros((0, len(units)))
        self.scaled = np.zeros((0, len(units)))
        self.squares = np.zeros((0, len(units)))
        self._seen: set[tuple[str, str, int]] = set()

    def add(self, measurement: Measurement) -> tuple[int, int]:
        """Returns row and column. Raises ValueError for an unknown unit, a repeat, or a value not finite."""
        if measurement.unit not in self.columns:
            raise ValueError(f"expected a unit of {sorted(self.columns)}, found {measurement.unit!r}")
        if not math.isfinite(measurement.value):
            raise ValueError(f"unit {measurement.unit}: expected a finite value, found {measurement.value}")
        if measurement.key in self._seen:
            raise ValueError(f"expected a measurement that is not known, found {measurement.key} again")
        column = self.columns[measurement.unit]
        scaled = self.scales[column].forward(measurement.value)
        row = self._row(measurement.program_id)
        self._seen.add(measurement.key)
        self.total += 1
        self.counts[row, column] += 1
        count = self.counts[row, column]
        self.values[row, column] += (measurement.value - self.values[row, column]) / count
        before = scaled - self.scaled[row, column]
        self.scaled[row, column] += before / count
        self.squares[row, column] += before * (scaled - self.scaled[row, column])
        return row, column

    def _row(self, program_id: str) -> int:
        if program_id not in self.rows:
            self.rows[program_id] = len(self.ids)
            self.ids.append(program_id)
            if len(self.ids) > len(self.counts):
                self._grow(2 * len(self.ids) + 14)
        return self.rows[program_id]

    def _grow(self, rows: int) -> None:
        for name in ("counts", "values", "scaled", "squares"):
            old = getattr(self, name)
            larger = np.zeros((rows, old.shape[1]), dtype=old.dtype)
            larger[: len(old)] = old
            setattr(self, name, larger)
