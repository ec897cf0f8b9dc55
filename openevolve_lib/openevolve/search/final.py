"""The final: sequential halving among the best programs on fresh seeds (Karnin, Koren and Somekh, 2013).

The best of many is the luckiest of many. So a share of the budget is kept, the best by estimate are
measured again, and who wins, and with which score, is said by those fresh measurements alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from openevolve.population.estimates import Estimates
from openevolve.population.shrinkage import shrunk
from openevolve.records.final import Final
from openevolve.records.measurement import Measure, Measurement, Unit, fitness_weights
from openevolve.records.program import Elite, standard_error_of
from openevolve.state.state import State


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
    names = [unit.name for unit in estimates.units if not unit.proxy]
    count = finalists(estimates.units, budget, passes)
    order = sorted(range(len(estimates)), key=lambda row: (-estimates.means[row], row))
    best = tuple(estimates.ids[row] for row in order[:count])
    return Final(best, budget, {name: estimates.noise_at_best(name) for name in names})


def finalists(units: Sequence[Unit], budget: float, passes: float = 4.0) -> int:
    """How many candidates a budget allows: ``passes`` passes of each, and two candidates at least."""
    affordable = budget / sum(unit.cost for unit in units if not unit.proxy) * (1 + 1e-9)
    count = max(2, math.floor(affordable / passes))
    while count > 2 and count * math.ceil(math.log2(count)) > affordable:
        count -= 1
    return count


class Halving:
    """The course of a final: rounds of equal cost, after each of which the better half goes on."""

    def __init__(self, final: Final, units: Sequence[Unit], measured: Sequence[Measurement]) -> None:
        """``measured``: the final measurements so far, in any order."""
        self._final = final
        self._units = [unit for unit in units if not unit.proxy]
        self._weights = fitness_weights(units)
        self._values: dict[tuple[str, str], list[float]] = {}
        for measurement in sorted(measured, key=lambda each: each.key):
            key = (measurement.program_id, measurement.unit)
            self._values.setdefault(key, []).append(measurement.value)
        self._noise = self._noises()

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
        if not survivors:  # all of them failed
            return [], []
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
            # By what this round had: what a later one finds must not bring anybody back. On a tie (the order
            # is stable) the better estimate goes on.
            scores = {program: self._standing(program, wanted).score for program in survivors}
            survivors.sort(key=lambda program: -scores[program])
            survivors = survivors[: math.ceil(len(survivors) / 2)]
        return survivors, []

    def _wanted(self, allowance: float) -> dict[str, int]:
        """How often each unit is measured for an allowance: once, then whatever lowers the error most.

        Where nothing is known of the noise of any, all equally often.
        """
        if not self._final.noise:
            passes = allowance / sum(unit.cost for unit in self._units) * (1 + 1e-9)
            return {unit.name: max(1, math.floor(passes)) for unit in self._units}
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
        variance = (self._weights[unit.name] * self._noise[unit.name]) ** 2
        return variance / count - variance / (count + 1)

    def _noises(self) -> dict[str, float]:
        """Standard deviation of a measurement of each unit: as known, else as the largest that is known.

        Where none is known, it is that of the repeats of this final.
        """
        known = self._final.noise
        if known:
            return {unit.name: known.get(unit.name, max(known.values())) for unit in self._units}
        return {unit.name: self._spread(unit.name) for unit in self._units}

    def _spread(self, unit: str) -> float:
        """Of repeats around their program's mean, pooled over programs; 0 where there are none."""
        repeated = [v for (_, name), v in self._values.items() if name == unit and len(v) > 1]
        degrees = sum(len(values) - 1 for values in repeated)
        squares = sum(float(np.var(values)) * len(values) for values in repeated)
        return math.sqrt(squares / degrees) if degrees else 0.0

    def _known(self, program: str) -> bool:
        return all((program, unit.name) in self._values for unit in self._units)

    def _standing(self, program: str, most: Mapping[str, int] | None = None) -> Standing:
        """From all its measurements, or from the first so many of each unit."""
        score = variance = 0.0
        count = 0
        for unit in self._units:
            values = self._values[program, unit.name][: most[unit.name] if most else None]
            score += self._weights[unit.name] * math.fsum(values) / len(values)
            variance += (self._weights[unit.name] * self._noise[unit.name]) ** 2 / len(values)
            count += len(values)
        return Standing(program, score, math.sqrt(variance), count)


def open_final(state: State, units: Sequence[Unit], share: float) -> Final:
    """The final of a run as it stands: the best by estimate, for ``share`` of what all evaluations cost."""
    population = state.population
    members = {elite.id: elite for elite in population.best(len(population))}
    claimed = {name: population.fitness(elite.metrics) for name, elite in members.items()}
    estimated = _estimated(state, members)
    in_full = state.full * sum(unit.cost * unit.repeats for unit in units if not unit.proxy)
    budget = share * (state.measurements.spent or in_full)
    ranked = sorted(estimated, key=lambda name: -estimated[name])[: finalists(units, budget)]
    return Final(
        tuple(ranked),
        budget,
        _known_noise(state, units, [elite.metrics for elite in members.values()]),
        tuple(units),
        {name: claimed[name] for name in ranked},
        {name: estimated[name] for name in ranked},
        len(state.committed),
    )


def _estimated(state: State, members: Mapping[str, Elite]) -> dict[str, float]:
    """From all that was measured; where nothing is estimated, from the standard errors of an evaluation."""
    population = state.population
    if state.measurements.estimates is not None:
        return {name: population.value(elite) for name, elite in members.items()}
    error = standard_error_of(population.config.fitness_metric)
    values = [population.fitness(elite.metrics) for elite in members.values()]
    errors = [elite.metrics.get(error, 0.0) for elite in members.values()]
    return dict(zip(members, (estimate.mean for estimate in shrunk(values, errors)), strict=True))


def _known_noise(
    state: State, units: Sequence[Unit], metrics: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """From repeats, else from the standard errors over those of an evaluation, where it gives them."""
    estimates = state.measurements.estimates
    if estimates is not None and len(estimates):
        known = {unit.name: estimates.noise_at_best(unit.name) for unit in units if not unit.proxy}
        if found := {name: noise for name, noise in known.items() if noise}:
            return found
    noise = {}
    for unit in units:
        error = standard_error_of(unit.metric)
        errors = [each[error] for each in metrics if unit.metric and error in each]
        if errors and unit.repeats > 1:
            noise[unit.name] = math.sqrt(unit.repeats * float(np.mean(np.square(errors))))
    return noise


def course_of(state: State) -> Halving | None:
    """How the latest final of a run stands; None where there was none."""
    return Halving(state.final, state.final.units, state.looks) if state.final else None


def winner_of(state: State) -> Standing | None:
    """Who has won the final; None before its end, and once the search has gone on since."""
    course = course_of(state)
    if course is None or state.final is None or state.final.committed < len(state.committed) or course.todo():
        return None
    return next(iter(course.standings()), None)


def best_of(state: State) -> Elite | None:
    """The winner of the final, else the program of the highest score."""
    winner = winner_of(state)
    if winner is not None:
        return state.scored(state.iterations[winner.program_id])
    return next(iter(state.population.best()), None)


def standing(state: State) -> list[Elite]:
    """All programs with a score, the best first: finalists by the final, then the others by estimate.

    A final that is not over, or that the search has gone on after, says nothing.
    """
    course = course_of(state) if winner_of(state) else None
    first = [each.program_id for each in course.standings()] if course else []
    found = {elite.id: elite for elite in state.population.best(len(state.population))}
    return [
        *(found[name] for name in first if name in found),
        *(e for e in found.values() if e.id not in first),
    ]


def scores_of_best(state: State) -> dict[str, float]:
    """Of the winner: what the search claimed, what of that is probably not luck, and what is found afresh.

    Where nothing is known of the noise, without an estimate and a standard error; empty without a final.
    """
    winner = winner_of(state)
    if winner is None or state.final is None:
        return {}
    return {
        "claimed": state.final.claimed[winner.program_id],
        **({"estimated": state.final.estimated[winner.program_id]} if state.final.noise else {}),
        "final": winner.score,
        **({"final_standard_error": winner.standard_error} if winner.standard_error else {}),
        "final_measurements": winner.measurements,
    }
