"""What people ask of a run while it runs: plain data."""

from dataclasses import dataclass
from enum import StrEnum

from openevolve.records.program import Record


class Wish(StrEnum):
    PAUSE = "pause"  # begin nothing new; what runs goes on
    RESUME = "resume"
    STOP = "stop"  # finish what runs, and end
    LIMIT = "limit"  # another value of a limit


@dataclass(frozen=True)
class Request(Record):
    """One wish; ``key`` and ``value`` are those of a limit."""

    what: Wish
    key: str = ""
    value: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", Wish(self.what))

    def __str__(self) -> str:
        return f"{self.what} {self.key}={self.value:g}" if self.value is not None else str(self.what)
