"""What was decided when a final began."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openevolve.records.measurement import Unit
from openevolve.records.program import Record


@dataclass(frozen=True)
class Final(Record):
    """Who takes part in a final, and what it may cost; all else follows from what is measured."""

    candidates: tuple[str, ...]  # best first, by estimate
    budget: float
    noise: Mapping[str, float]  # by unit, where it is known: standard deviation of one measurement
    units: tuple[Unit, ...] = ()
    claimed: Mapping[str, float] = field(default_factory=dict)  # fitness of each in the search
    estimated: Mapping[str, float] = field(default_factory=dict)  # the same, less what is probably luck
    committed: int = 0  # so many outcomes counted when it began

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidates", tuple(self.candidates))
        units = tuple(unit if isinstance(unit, Unit) else Unit.from_json(unit) for unit in self.units)
        object.__setattr__(self, "units", units)
