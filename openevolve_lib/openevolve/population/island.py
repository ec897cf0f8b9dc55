"""A part of the population, with an archive of its own."""

import bisect
from collections.abc import Sequence
from typing import overload

from openevolve.records.program import Elite

Cell = tuple[int, ...]
OrderKey = tuple[float, float, int, str]  # the one total order, best first; the last is the program's id


class Island:
    """Members in their order, and the best of each occupied cell. No call takes longer with its size."""

    def __init__(self) -> None:
        self.ranked: list[OrderKey] = []  # best first
        self.members: dict[str, Elite] = {}
        self.cells: dict[Cell, str] = {}  # the best program of each occupied cell
        self.occupied: list[Cell] = []  # rising

    def best(self, count: int) -> list[Elite]:
        return [self.members[key[-1]] for key in self.ranked[:count]]

    def ranking(self, rank: int) -> Elite:
        """The member of this rank; 0 is the best."""
        return self.members[self.ranked[rank][-1]]

    def elites(self) -> Sequence[Elite]:
        """The best of each cell, in the order of the cells; it follows what happens to the island."""
        return _Elites(self)

    def position(self, elite_id: str, cell: Cell) -> int | None:
        """Where a program stands among the elites; None where it does not hold its cell."""
        return bisect.bisect_left(self.occupied, cell) if self.cells.get(cell) == elite_id else None

    def add(self, elite: Elite, key: OrderKey) -> None:
        self.members[elite.id] = elite
        bisect.insort(self.ranked, key)

    def hand_over(self, cell: Cell, elite_id: str) -> None:
        """Let a program hold a cell."""
        if cell not in self.cells:
            bisect.insort(self.occupied, cell)
        self.cells[cell] = elite_id

    def forget(self, key: OrderKey) -> None:
        """Drop a member that holds no cell."""
        del self.members[key[-1]]
        del self.ranked[bisect.bisect_left(self.ranked, key)]


class _Elites(Sequence[Elite]):
    """Looked up one by one: an iteration needs a few of them, not a list of all."""

    def __init__(self, island: Island) -> None:
        self._island = island

    def __len__(self) -> int:
        return len(self._island.occupied)

    @overload
    def __getitem__(self, index: int) -> Elite: ...
    @overload
    def __getitem__(self, index: slice) -> list[Elite]: ...
    def __getitem__(self, index: int | slice) -> Elite | list[Elite]:
        island = self._island
        if isinstance(index, slice):
            return [island.members[island.cells[cell]] for cell in island.occupied[index]]
        return island.members[island.cells[island.occupied[index]]]
