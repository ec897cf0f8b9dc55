"""What people ask of a run while it runs: plain data."""

from dataclasses import dataclass
from enum import StrEnum

from openevolve.records.program import Record


class Wish(StrEnum):
    PAUSE = "pause"  # begin nothing new; what runs goes on
    RESUME = "resume"
    STOP = "stop"  # finish what runs, and end
    LIMIT = "limit"  # another value of a limit
    MEASURE = "measure"  # a program once more


@dataclass(frozen=True)
class Request(Record):
    """One wish; ``key`` and ``value`` are those of a limit, ``key`` alone is a program's id."""

    what: Wish
    key: str = ""
    value: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", Wish(self.what))

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.what} {self.key}={self.value:g}"
        return f"{self.what} {self.key}".rstrip()
