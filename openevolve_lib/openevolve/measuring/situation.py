"""All that is known at one instant, for whoever decides what is measured next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openevolve.population.estimates import Estimates
from openevolve.records.measurement import Unit
from openevolve.state.measurements import Key
from openevolve.state.state import State


@dataclass(frozen=True)
class Situation:
    """What a decision rests on. Programs that failed are among neither ``waiting`` nor ``estimates``."""

    estimates: Estimates
    waiting: Sequence[str] = ()  # programs that nothing was measured or begun of, oldest first
    in_flight: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by program and unit: begun
    costs: Mapping[str, float] = field(default_factory=dict)  # by unit as met so far, else as declared
    spent: float = 0.0  # on measurements of the search, those in flight included
    further: float = 0.0  # of that, on all but the first look at each program
    closed: frozenset[str] = frozenset()  # programs that are not to be looked at again

    @property
    def units(self) -> Sequence[Unit]:
        return self.estimates.units

    def cost(self, unit: Unit) -> float:
        return self.costs.get(unit.name, unit.cost)

    def open(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) values by program, minus infinity for those that are closed."""
        values = values.copy()
        for program in self.closed.intersection(self.estimates.ids):
            values[self.estimates.row(program)] = -np.inf
        return values

    def begun(self) -> NDArray[np.int64]:
        """(n, units) how often each program was measured or is being."""
        counts = self.estimates.counts().copy()
        columns = {unit.name: column for column, unit in enumerate(self.units)}
        for (program, unit), count in self.in_flight.items():
            if program in self.estimates:
                counts[self.estimates.row(program), columns[unit]] += count
        return counts


def situation_of(state: State, chosen: Sequence[Key]) -> Situation | None:
    """How a run stands, with looks ``chosen`` beyond those that are due; None: nothing is estimated."""
    known = state.measurements
    if known.estimates is None or not len(known.estimates):
        return None
    costs = {unit.name: unit.cost for unit in known.units}
    in_flight = Counter((program, unit) for program, unit, _ in [*known.due, *chosen])
    ahead = sum(costs[unit] * count for (_, unit), count in in_flight.items())
    return Situation(
        known.estimates,
        in_flight=in_flight,
        costs=costs,
        spent=known.spent + ahead,
        further=known.further + ahead,
        closed=frozenset(known.closed),
    )
