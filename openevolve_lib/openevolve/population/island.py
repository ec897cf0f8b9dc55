"""A part of the population, with an archive of its own."""

import bisect
from collections.abc import Iterable, Mapping

from openevolve.records.program import Elite

Cell = tuple[int, ...]
OrderKey = tuple[float, float, int, str]  # the one total order, best first; the last is the program's id


class Island:
    """Members in their order, and the best of each occupied cell."""

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

    def elite(self, cell: Cell) -> Elite:
        """The best of an occupied cell."""
        return self.members[self.cells[cell]]

    def elites(self) -> list[Elite]:
        """The best of each cell, in the order of the cells."""
        return [self.elite(cell) for cell in self.occupied]

    def add(self, elite: Elite, key: OrderKey) -> None:
        self.members[elite.id] = elite
        bisect.insort(self.ranked, key)

    def hand_over(self, cell: Cell, elite_id: str) -> None:
        """Let a program hold a cell."""
        if cell not in self.cells:
            bisect.insort(self.occupied, cell)
        self.cells[cell] = elite_id

    def settle(self, keys: Iterable[OrderKey], cells: Mapping[str, Cell]) -> None:
        """Rank the members anew, and let the best of each cell hold it. ``cells`` by member."""
        self.ranked = sorted(keys)
        self.cells = {}
        for key in self.ranked:
            self.cells.setdefault(cells[key[-1]], key[-1])
        self.occupied = sorted(self.cells)

    def forget(self, key: OrderKey) -> None:
        """Drop a member that holds no cell."""
        del self.members[key[-1]]
        del self.ranked[bisect.bisect_left(self.ranked, key)]
