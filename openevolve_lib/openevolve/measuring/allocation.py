"""Which measurement is worth most next, for its cost: one small class a policy.

A policy is given a ``Situation``, all that is known at one instant, and answers with one thing to do. It
keeps nothing, so that equal situations give equal answers and a run can be resumed anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openevolve.population.estimates import Estimates
from openevolve.population.scales import Floats
from openevolve.records.measurement import Measure, Unit


@dataclass(frozen=True)
class Propose:
    """Make a new program."""


Action = Measure | Propose


@dataclass(frozen=True)
class Situation:
    """What a decision rests on. Programs that failed are among neither ``waiting`` nor ``estimates``."""

    estimates: Estimates
    waiting: Sequence[str] = ()  # programs that nothing was measured or begun of, oldest first
    in_flight: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by program and unit: begun
    costs: Mapping[str, float] = field(default_factory=dict)  # by unit as met so far, else as declared
    spent: float = 0.0  # on measurements of the search, those in flight included
    further: float = 0.0  # of that, on all but the first look at each program

    @property
    def units(self) -> Sequence[Unit]:
        return self.estimates.units

    def cost(self, unit: Unit) -> float:
        return self.costs.get(unit.name, unit.cost)

    def begun(self) -> NDArray[np.int64]:
        """(n, units) how often each program was measured or is being."""
        counts = self.estimates.counts().copy()
        columns = {unit.name: column for column, unit in enumerate(self.units)}
        for (program, unit), count in self.in_flight.items():
            if program in self.estimates:
                counts[self.estimates.row(program), columns[unit]] += count
        return counts


class Allocation(Protocol):
    """How a budget of measurements is spent."""

    def next(self, situation: Situation, rng: np.random.Generator) -> Action:
        """What is worth most now."""


@dataclass(frozen=True)
class Full:
    """The protocol of the field: every program in full, once."""

    def next(self, situation: Situation, rng: np.random.Generator) -> Action:
        return finish(situation, len(situation.estimates)) or Propose()


def finish(situation: Situation, programs: int) -> Measure | None:
    """The first unit that one of the first so many programs, or of those waiting, lacks in full."""
    wanted = np.array([0 if unit.proxy else unit.repeats for unit in situation.units])
    lacking = situation.begun()[:programs] < wanted
    rows = np.flatnonzero(lacking.any(axis=1))
    if len(rows):
        column = int(np.argmax(lacking[rows[0]]))
        return Measure(situation.estimates.ids[rows[0]], situation.units[column].name)
    for program in situation.waiting:
        for unit, count in zip(situation.units, wanted, strict=True):
            if situation.in_flight.get((program, unit.name), 0) < count:
                return Measure(program, unit.name)
    return None


@dataclass(frozen=True)
class Adaptive:
    """One look at a new program, and further ones where they decide something.

    The first look is the unit that tells most of fitness for its cost. ``share`` of what is spent goes to
    further looks: at the program that is best by a draw from the estimates (Thompson), so as often as it
    may be the best, and again at the unit that tells most. Whatever did poorly at first is set aside, and
    taken up again once it may be the best after all.

    The first ``learned_from`` programs are measured in full, and the best of them repeatedly: only then is
    it known how units go together, and how large their noise is.
    """

    share: float = 0.1
    learned_from: int = 5
    degrees: int = 3  # repeats beyond the first, until the noise of a unit counts as known

    def next(self, situation: Situation, rng: np.random.Generator) -> Action:
        estimates = situation.estimates
        if len(estimates) <= self.learned_from:
            todo = finish(situation, self.learned_from)
            if todo is not None or len(estimates) < self.learned_from:
                return todo or Propose()
        if (unit := self._noise_unknown(situation)) is not None:
            return Measure(estimates.ids[int(np.argmax(estimates.means))], unit.name)
        if situation.waiting:
            return Measure(situation.waiting[0], self._first_look(situation).name)
        if situation.further < self.share * situation.spent and not estimates.exact:
            row = int(np.argmax(estimates.draw(rng)))
            gains = worth(situation, row)
            if gains.max() > 0:
                return Measure(estimates.ids[row], situation.units[int(np.argmax(gains))].name)
        return Propose()

    def _noise_unknown(self, situation: Situation) -> Unit | None:
        """A unit with too few repeats. One that gave twice the same has no noise."""
        repeats = np.maximum(situation.begun() - 1, 0).sum(axis=0)
        for unit, count in zip(situation.units, repeats, strict=True):
            exact = count > 0 and situation.estimates.noise(unit.name) == 0
            if not unit.proxy and count < self.degrees and not exact:
                return unit
        return None

    def _first_look(self, situation: Situation) -> Unit:
        gains = situation.estimates.prior_reduction()
        costs = np.array([situation.cost(unit) for unit in situation.units])
        return situation.units[int(np.argmax(gains / costs))]


def worth(situation: Situation, row: int) -> Floats:
    """(units,) variance of fitness that one more measurement of a program takes away, for its cost.

    Neyman's rule, one measurement at a time: noisy and cheap units first. One that is in flight leaves so
    much less to be gained from another.
    """
    estimates = situation.estimates
    gains = estimates.reduction(row)
    program, counts = estimates.ids[row], estimates.counts()[row]
    for column, unit in enumerate(situation.units):
        begun = situation.in_flight.get((program, unit.name), 0)
        gains[column] *= ((1 + counts[column]) / (1 + counts[column] + begun)) ** 2
        gains[column] /= situation.cost(unit)
    return gains
