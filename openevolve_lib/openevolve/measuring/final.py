"""The final: sequential halving among the best programs on fresh seeds (Karnin, Koren and Somekh, 2013).

The best of many is the luckiest of many. So a share of the budget is kept, the best by estimate are
measured again, and who wins, and with which score, is said by those fresh measurements alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openevolve.measuring.allocation import Measure
from openevolve.population.estimates import Estimates
from openevolve.records.measurement import Measurement, Unit
from openevolve.records.program import Record


@dataclass(frozen=True)
class Final(Record):
    """What was decided when the final began; all else follows from what is measured."""

    candidates: tuple[str, ...]  # best first, by estimate
    budget: float
    noise: Mapping[str, float]  # by unit: standard deviation of one measurement, on the scale of values

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidates", tuple(self.candidates))


@dataclass(frozen=True)
class Standing:
    """A finalist's score, from its final measurements alone."""

    program_id: str
    score: float  # mean over groups
    standard_error: float  # of training; 0 where noise is not known
    measurements: int


def begin(estimates: Estimates, budget: float, passes: float = 4.0) -> Final:
    """Choose the candidates: so many that ``passes`` passes of each could be paid for, two at least.

    A pass is every unit once; the first round has at least one. Raises ValueError where nothing was measured.
    """
    if not len(estimates):
        raise ValueError("expected programs to choose among, found none")
    units = [unit for unit in estimates.units if not unit.proxy]
    affordable = budget / sum(unit.cost for unit in units) * (1 + 1e-9)
    count = max(2, math.floor(affordable / passes))
    while count > 2 and count * math.ceil(math.log2(count)) > affordable:
        count -= 1
    order = sorted(range(len(estimates)), key=lambda row: (-estimates.means[row], row))
    best = tuple(estimates.ids[row] for row in order[:count])
    return Final(best, budget, {unit.name: estimates.noise_at_best(unit.name) for unit in units})


class Halving:
    """The course of a final: rounds of equal cost, after each of which the better half goes on."""

    def __init__(self, final: Final, units: Sequence[Unit], measured: Sequence[Measurement]) -> None:
        """``measured``: the final measurements so far, in any order."""
        self._final = final
        self._units = [unit for unit in units if not unit.proxy]
        self._values: dict[tuple[str, str], list[float]] = {}
        for measurement in sorted(measured, key=lambda each: each.key):
            key = (measurement.program_id, measurement.unit)
            self._values.setdefault(key, []).append(measurement.value)

    def todo(self) -> list[Measure]:
        """What this round still lacks, to be measured in any order; empty once the final is over."""
        return self._course()[1]

    def standings(self) -> list[Standing]:
        """Those that were measured on every unit, best first: whoever went further stands higher."""
        survivors, _ = self._course()
        known = [program for program in self._final.candidates if self._known(program)]
        place = {program: place for place, program in enumerate(self._final.candidates)}

        def order(program: str) -> tuple[bool, float, int]:
            return (program not in survivors, -self._standing(program).score, place[program])

        return [self._standing(program) for program in sorted(known, key=order)]

    def _course(self) -> tuple[Sequence[str], list[Measure]]:
        """Who is left, and what they lack."""
        survivors = list(self._final.candidates)
        rounds = max(1, math.ceil(math.log2(len(survivors))))
        allowance = 0.0
        for _ in range(rounds):
            allowance += self._final.budget / rounds / len(survivors)
            wanted = self._wanted(allowance)
            lacking = [
                Measure(program, unit.name)
                for program in survivors
                for unit in self._units
                for _ in range(wanted[unit.name] - len(self._values.get((program, unit.name), ())))
            ]
            if lacking:
                return survivors, lacking
            survivors.sort(key=lambda program: -self._standing(program).score)  # stable: the better estimate
            survivors = survivors[: math.ceil(len(survivors) / 2)]
        return survivors, []

    def _wanted(self, allowance: float) -> dict[str, int]:
        """How often each unit is measured for an allowance: once, then whatever lowers the error most."""
        wanted = {unit.name: 1 for unit in self._units}
        left = allowance - sum(unit.cost for unit in self._units)
        while within := [unit for unit in self._units if unit.cost <= left * (1 + 1e-9)]:
            best = max(within, key=lambda unit: self._gain(unit, wanted[unit.name]) / unit.cost)
            if not self._gain(best, wanted[best.name]):
                break  # it is exact, as far as is known
            wanted[best.name] += 1
            left -= best.cost
        return wanted

    def _gain(self, unit: Unit, count: int) -> float:
        variance = (self._weight(unit) * self._final.noise[unit.name]) ** 2
        return variance / count - variance / (count + 1)

    def _weight(self, unit: Unit) -> float:
        groups = [other.group for other in self._units]
        return 1 / len(set(groups)) / groups.count(unit.group)

    def _known(self, program: str) -> bool:
        return all((program, unit.name) in self._values for unit in self._units)

    def _standing(self, program: str) -> Standing:
        score = variance = 0.0
        count = 0
        for unit in self._units:
            values = self._values[program, unit.name]
            score += self._weight(unit) * math.fsum(values) / len(values)
            variance += (self._weight(unit) * self._final.noise[unit.name]) ** 2 / len(values)
            count += len(values)
        return Standing(program, score, math.sqrt(variance), count)
