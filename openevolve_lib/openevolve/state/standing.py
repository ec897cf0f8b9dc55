"""What had been achieved when something was to be decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openevolve.population.axes import Axis
from openevolve.population.island import Cell


@dataclass(frozen=True)
class Standing:
    """What the decisions on one program's measurements may rest on."""

    committed: int  # the first so many outcomes that counted
    elites: Sequence[Mapping[Cell, float]]  # by island: the fitness of each cell's
    axes: Sequence[Axis] = ()  # those of the cells
