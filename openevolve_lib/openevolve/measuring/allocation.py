"""Which measurement is worth most next, for its cost: one small class a policy.

A policy is given a ``Situation``, all that is known at one instant, and answers with one thing to do. It
keeps nothing, so that equal situations give equal answers and a run can be resumed anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from openevolve.evaluating.channel import Decide
from openevolve.measuring.situation import Situation
from openevolve.population.scales import Floats
from openevolve.records.decision import Decision
from openevolve.records.measurement import Measure, Unit
from openevolve.records.program import Program
from openevolve.settings.models import Config
from openevolve.settings.registry import strategy
from openevolve.state.state import State

Record = Callable[[Decision], None]


class Allocation(Protocol):
    """What a run measures, and how far. Built as ``Allocation(config, state)``."""

    def decider(self, program: Program, record: Record) -> Decide | None:
        """Whether ``program`` goes on after a rung, each new decision recorded first; None: without rungs."""

    def further(self, situation: Situation, rng: np.random.Generator) -> Measure | None:
        """A unit to be measured once more, beyond the evaluations; None: nothing is worth it now."""


@dataclass(frozen=True)
class Propose:
    """Make a new program."""


Action = Measure | Propose


class Policy(Protocol):
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
        return self._look_again(situation, rng) or Propose()

    def further(self, situation: Situation, rng: np.random.Generator) -> Measure | None:
        """A look at a program that was measured before; None: none is worth it, or the share is spent.

        For searches whose first looks are others' to choose. Noise is learned within the share as well.
        """
        estimates = situation.estimates
        if len(estimates) < self.learned_from or situation.further >= self.share * situation.spent:
            return None
        if (unit := self._noise_unknown(situation)) is not None:
            row = int(np.argmax(situation.open(estimates.means)))
            return None if estimates.ids[row] in situation.closed else Measure(estimates.ids[row], unit.name)
        return self._look_again(situation, rng)

    def _look_again(self, situation: Situation, rng: np.random.Generator) -> Measure | None:
        estimates = situation.estimates
        if situation.further >= self.share * situation.spent or estimates.exact:
            return None
        row = int(np.argmax(situation.open(estimates.draw(rng))))
        gains = worth(situation, row)
        if estimates.ids[row] in situation.closed or gains.max() <= 0:
            return None
        return Measure(estimates.ids[row], situation.units[int(np.argmax(gains))].name)

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


class LooksAgain:
    """Spends ``further_share`` as ``Adaptive`` does; what every allocation of a run inherits."""

    def __init__(self, config: Config, state: State) -> None:
        self._looks = Adaptive(share=config.further_share)

    def further(self, situation: Situation, rng: np.random.Generator) -> Measure | None:
        return self._looks.further(situation, rng)


@strategy("allocation", "full")
class EverythingInFull(LooksAgain):
    """``fidelity: full``, the protocol of the field."""

    def decider(self, program: Program, record: Record) -> None:
        return None
