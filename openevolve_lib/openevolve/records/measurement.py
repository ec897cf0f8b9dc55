"""What an evaluator offers to measure, and what was measured: plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openevolve.records.program import Record


@dataclass(frozen=True)
class Unit(Record):
    """One piece of work that tells something of a program, e.g. a training on one data set.

    Fitness is the mean over groups of the mean over a group's units. A proxy tells of its group at
    less cost, but is no part of fitness. Any unit can be measured again: a repeat has a seed of its own.
    """

    name: str
    group: str
    cost: float = 1.0  # in any one unit of cost, equal for all
    proxy: bool = False
    repeats: int = 1  # in the full protocol; a proxy is no part of it
    metric: str = ""  # of ``evaluate``, which holds the unit's value; none: it is not known from there
    scale: str = "identity"  # on which noise is about the same everywhere (``population.scales``)

    def __post_init__(self) -> None:
        if not self.cost > 0:
            raise ValueError(f"unit {self.name}: expected a cost above 0, found {self.cost}")
        if self.repeats < 1:
            raise ValueError(f"unit {self.name}: expected at least 1 repeat, found {self.repeats}")


def fitness_weights(units: Sequence[Unit]) -> dict[str, float]:
    """By name, each unit's weight in the mean over groups of the mean over a group's units; no proxies."""
    groups = [unit.group for unit in units if not unit.proxy]
    share = {group: 1 / len(set(groups)) / groups.count(group) for group in groups}
    return {unit.name: share[unit.group] for unit in units if not unit.proxy}


@dataclass(frozen=True)
class Measure:
    """Measure one unit of one program; which repeat is the next that nobody has measured or begun."""

    program_id: str
    unit: str


@dataclass(frozen=True)
class Measurement(Record):
    """The value of one unit for one program, measured once and kept.

    Search and final never share a measurement: a final one is fresh, so that what was selected on does
    not tell how good the selected is.
    """

    program_id: str
    unit: str
    repeat: int  # from 0: which seed
    value: float  # higher is better
    cost: float = 1.0
    seconds: float = 0.0
    final: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)  # all else that the evaluator found

    @property
    def key(self) -> tuple[str, str, int]:
        """What is never measured twice."""
        return (self.program_id, self.unit, self.repeat)
