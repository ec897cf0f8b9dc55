"""What a run knows when a child is asked for, beside the programs that are shown: plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """A change that counted by then, and what came of it.

    ``difference`` is the child's fitness less its parent's, ``error`` its standard error as if the two were
    independent; both None where the child has no score, and ``error`` where the evaluator gives none.
    """

    iteration: int
    changes: str
    difference: float | None = None
    error: float | None = None
    failure: str = ""  # its kind, or "rejected"; empty where there is a score
    of: int | None = None  # the iteration of the program that was changed

    @property
    def within_noise(self) -> bool:
        """Whether zero lies within two standard errors of the difference."""
        if self.difference is None or self.error is None:
            return False
        return abs(self.difference) <= 2 * self.error


@dataclass(frozen=True)
class Room:
    """An empty cell of the archive beside the parent's: where it lies on the one axis that differs."""

    axis: str
    low: float | None  # None: no lower edge
    high: float | None  # likewise


@dataclass(frozen=True)
class Known:
    """What counted when an iteration was chosen."""

    lineage: tuple[Tried, ...] = ()  # children of the parent and of its ancestors, latest first
    elsewhere: tuple[Tried, ...] = ()  # the largest differences of others, best first
    under_way: tuple[tuple[int, str], ...] = ()  # iterations that are being tried, with their changes
    rooms: tuple[Room, ...] = ()


NOTHING = Known()
