"""What was measured of programs, unit by unit, and what their fitness is estimated to be from all of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from openevolve.population.estimates import Estimate, Estimates
from openevolve.population.scales import SCALES
from openevolve.records.measurement import Measurement, Unit
from openevolve.records.program import Outcome

Key = tuple[str, str, int]  # program, unit, repeat


@dataclass
class Measurements:
    """Where an evaluator offers units; else it stays empty, and nothing is estimated.

    Of an evaluation that says what each repeat gave (``Outcome.measurements``) all count. Where it does not,
    the metric of a unit counts as one measurement.
    """

    units: tuple[Unit, ...] = ()
    estimates: Estimates | None = None
    due: dict[Key, None] = field(default_factory=dict)  # chosen to be measured, oldest first
    spent: float = 0.0  # on programs that count, in the units' cost
    further: float = 0.0  # of that, on looks beyond the evaluations
    closed: set[str] = field(default_factory=set)  # programs that failed in a further look
    _fits: int = 0
    _used: dict[tuple[str, str], set[int]] = field(default_factory=dict)  # repeats, by program and unit

    def offer(self, units: Sequence[Unit], estimating: bool) -> None:
        """Raises ValueError for no unit that is more than a proxy."""
        self.units = tuple(units)
        if estimating:
            self.estimates = Estimates(units, {unit.group: SCALES[unit.scale] for unit in units})

    def take_outcome(self, program_id: str, outcome: Outcome) -> None:
        """Take in what an evaluation measured, in full or up to a rung."""
        if self.estimates is None:
            return
        for unit in self.units:
            values = outcome.measurements.get(unit.name, ())
            if not values and outcome.evaluated and unit.metric in outcome.metrics:
                values = (outcome.metrics[unit.metric],)
            for repeat, value in enumerate(values):
                self.estimates.add(Measurement(program_id, unit.name, repeat, value, unit.cost))
            repeats = unit.repeats if outcome.evaluated else len(values)
            self._used.setdefault((program_id, unit.name), set()).update(range(repeats))
            self.spent += unit.cost * max(repeats, len(values))

    def take_look(self, program_id: str, unit: str, repeat: int, measurement: Measurement | None) -> None:
        """Take in a further look; ``measurement`` is None where it failed.

        A final's look says that its repeat is used, and changes no estimate.
        """
        key = (program_id, unit, repeat)
        self.due.pop(key, None)
        self._used.setdefault((program_id, unit), set()).add(repeat)
        if measurement is None:
            self.closed.add(program_id)
        if measurement is None or measurement.final or self.estimates is None:
            return
        self.estimates.add(measurement)
        self.spent += measurement.cost
        self.further += measurement.cost

    def next_repeats(self, program_id: str, unit: str, count: int, first: int = 0) -> list[int]:
        """The lowest repeats from ``first`` that nobody has measured or is to measure.

        By their numbers and not by how many there are: looks of one round may end in any order, and a run
        may be killed between them.
        """
        taken = self._used.get((program_id, unit), set()) | {
            repeat for program, name, repeat in self.due if (program, name) == (program_id, unit)
        }
        found: list[int] = []
        repeat = first
        while len(found) < count:
            if repeat not in taken:
                found.append(repeat)
            repeat += 1
        return found

    def in_flight(self) -> Mapping[tuple[str, str], int]:
        """How many looks are due, by program and unit."""
        counts: dict[tuple[str, str], int] = {}
        for program, unit, _ in self.due:
            counts[program, unit] = counts.get((program, unit), 0) + 1
        return counts

    def measured_in_full(self, program_id: str) -> bool:
        """Whether every unit of the full protocol has been measured at least once."""
        estimates = self.estimates
        return estimates is not None and all(
            estimates.count(program_id, unit.name) for unit in self.units if not unit.proxy
        )

    def metrics(self, program_id: str, fitness_metric: str) -> dict[str, float]:
        """What an evaluation in full would have said of a program, from the means of what was measured."""
        assert self.estimates is not None
        units = [unit for unit in self.units if not unit.proxy]
        means = {unit.name: self.estimates.measured(program_id, unit.name) for unit in units}
        groups: dict[str, list[float]] = {}
        for unit in units:
            groups.setdefault(unit.group, []).append(means[unit.name])
        fitness = fmean(fmean(values) for values in groups.values())
        return {fitness_metric: fitness} | {unit.metric: means[unit.name] for unit in units if unit.metric}

    def estimate(self, program_id: str) -> Estimate | None:
        """Of a program's fitness; None where nothing is estimated."""
        if self.estimates is None or program_id not in self.estimates:
            return None
        return self.estimates.of(program_id)

    def fitness(self, program_id: str) -> float | None:
        """As estimated."""
        estimate = self.estimate(program_id)
        return None if estimate is None else estimate.mean

    def refitted(self) -> bool:
        """Whether what is known of all programs has changed since this was asked last."""
        fits = 0 if self.estimates is None else self.estimates.fits
        changed, self._fits = fits != self._fits, fits
        return changed

    def check(self, program_id: str, fitness: float) -> None:
        """Give up estimating where fitness is not what the units are said to make up: their groups' mean.

        Of the initial program alone: whoever offers units says what they are. A language model's grades, for
        one, are in no unit.
        """
        if self.estimates is None or program_id not in self.estimates:
            return
        if not math.isclose(self.metrics(program_id, "")[""], fitness, rel_tol=1e-4, abs_tol=1e-6):
            self.estimates = None
