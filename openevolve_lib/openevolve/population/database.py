"""The population in memory: MAP-Elites archives on islands. No files, no clock, no randomness."""

import bisect
import math
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from openevolve.population.axes import Axis, dissimilarity, line_set
from openevolve.population.fitness import judged_by
from openevolve.population.island import Cell, Island, OrderKey
from openevolve.population.scaling import next_scaling, scaled
from openevolve.records.program import Elite, Failure
from openevolve.settings.models import DatabaseConfig
from openevolve.settings.registry import strategy

_FAILURES_PER_PARENT = 5

Move = tuple[str, int, int]  # a program, from an island, to another


@dataclass(frozen=True)
class ArchiveStats:
    """How well the archive is filled. ``qd_score`` sums the values of the best of each cell."""

    cells: int
    elites: int
    coverage: float
    qd_score: float
    best: float | None
    mean: float | None


@strategy("population", "map-elites")
class Database:
    """Programs with a score, placed on islands; failures are kept by their parent."""

    def __init__(self, config: DatabaseConfig, axes: Sequence[Axis]) -> None:
        self.config = config
        self.axes = tuple(axes)
        self.islands = [Island() for _ in range(config.num_islands)]
        self.archive_cells: dict[Cell, OrderKey] = {}  # over all islands
        self._ranked: list[OrderKey] = []
        self._idle: list[OrderKey] = []  # of those, the ones that hold no cell on any island
        self._cells_held: Counter[str] = Counter()  # on all islands, by program
        self._elites: dict[str, Elite] = {}
        self._estimates: dict[str, float] = {}  # of fitness, by program
        self._reference: frozenset[str] = frozenset()
        self._failures: dict[str, deque[Failure]] = {}
        self._joined = 0  # programs that were ever added
        self._next_scaling = next_scaling(1)
        self._scalings = [("", self.axes)]  # of axes that follow: since which program they are as they are

    def fitness(self, metrics: Mapping[str, float]) -> float:
        """The fitness metric, or what stands in for it. Raises ValueError where there is nothing to go by."""
        names = self.judged_by(metrics)
        return sum(metrics[name] for name in names) / len(names)

    def judged_by(self, metrics: Mapping[str, float]) -> list[str]:
        """The metrics whose mean is fitness. Raises ValueError where there is nothing to go by."""
        return judged_by(metrics, self.config.fitness_metric, {axis.name for axis in self.axes})

    def value(self, elite: Elite) -> float:
        """What counts of a program: its fitness as estimated, where it is, else as measured."""
        estimate = self._estimates.get(elite.id)
        return self.fitness(elite.metrics) if estimate is None else estimate

    def order(self, elite: Elite) -> OrderKey:
        """The one total order, smaller is better: value, then the tie-break metric, then age."""
        tie_break = self.config.tie_break_metric
        tie = elite.metrics[tie_break] if tie_break else 0.0
        return (-self.value(elite), tie, elite.program.iteration, elite.id)

    def cell(self, elite: Elite, axes: Sequence[Axis] | None = None) -> Cell:
        """On the axes of today, or on others."""
        return tuple(axis.bin(self._position(axis, elite)) for axis in axes or self.axes)

    def axes_for(self, programs: Collection[str]) -> tuple[Axis, ...]:
        """The axes as they were when of all programs these were the latest that had been added."""
        return next(axes for since, axes in reversed(self._scalings) if not since or since in programs)

    def _position(self, axis: Axis, elite: Elite) -> float:
        if axis.name in elite.metrics:
            return elite.metrics[axis.name]
        if axis.name == "score":
            return self.fitness(elite.metrics)  # as measured: a place in the archive never moves
        if axis.name == "complexity":
            return float(len(elite.program.code))
        if axis.name == "diversity":
            return dissimilarity(line_set(elite.program.code), self._reference)
        raise ValueError(f"expected the metric {axis.name!r} (an axis), found {sorted(elite.metrics)}")

    def cell_fitness(self) -> list[dict[Cell, float]]:
        """By island, the value of the best program of each occupied cell."""
        return [
            {cell: self.value(island.members[holder]) for cell, holder in island.cells.items()}
            for island in self.islands
        ]

    def check(self, elite: Elite) -> None:
        """Raise ValueError where the metrics lack fitness, tie-break or an axis, or are not finite."""
        for name, value in elite.metrics.items():
            if not math.isfinite(value):
                raise ValueError(f"expected finite metrics, found {name} = {value}")
        self.cell(elite)
        if self.config.tie_break_metric and self.config.tie_break_metric not in elite.metrics:
            raise ValueError(
                f"expected the metric {self.config.tie_break_metric!r}, found {sorted(elite.metrics)}"
            )
        self.fitness(elite.metrics)

    def add(self, elite: Elite, estimate: float | None = None) -> bool:
        """Place a program; True where it is the best of its cell over all islands.

        The first program is the reference of ``diversity`` and settles on every island. ``estimate``: of its
        fitness, which counts in the place of what was measured.
        """
        self.check(elite)
        if estimate is not None:
            self._estimates[elite.id] = estimate
        first = not self._elites
        if first:
            self._reference = line_set(elite.program.code)
        self._joined += 1
        if self._joined == self._next_scaling and any(axis.follows for axis in self.axes):
            self._next_scaling = next_scaling(self._joined)
            self._scale(elite)
        key, cell = self.order(elite), self.cell(elite)
        self._elites[elite.id] = elite
        bisect.insort(self._ranked, key)
        bisect.insort(self._idle, key)
        for island in self.islands if first else [self.islands[elite.program.island]]:
            self._place(island, elite, key, cell)
        improved = cell not in self.archive_cells or key < self.archive_cells[cell]
        if improved:
            self.archive_cells[cell] = key
        self._limit_population()
        return improved

    def _scale(self, latest: Elite) -> None:
        """Let axes that follow take in all programs, and place all members anew."""
        elites = [*self._elites.values(), latest]
        self.axes = tuple(
            scaled(axis, [self._position(axis, elite) for elite in elites]) if axis.follows else axis
            for axis in self.axes
        )
        self._scalings.append((latest.id, self.axes))
        self._place_anew()

    def _place_anew(self) -> None:
        """Find the order of all members, and the best of each cell and island."""
        keys = {name: self.order(elite) for name, elite in self._elites.items()}
        cells = {name: self.cell(elite) for name, elite in self._elites.items()}
        self._ranked = sorted(keys.values())
        self._cells_held.clear()
        for island in self.islands:
            island.settle([keys[name] for name in island.members], cells)
            self._cells_held.update(island.cells.values())
        self.archive_cells.clear()
        for key in self._ranked:
            self.archive_cells.setdefault(cells[key[-1]], key)
        self._idle = [key for key in self._ranked if not self._cells_held[key[-1]]]

    def _place(self, island: Island, elite: Elite, key: OrderKey, cell: Cell) -> None:
        island.add(elite, key)
        holder = island.cells.get(cell)
        if holder is None:
            self._take_cell(island, key, cell)
        elif key < (held_by := self.order(island.members[holder])):
            self._take_cell(island, key, cell)
            self._lose_cell(held_by)

    def _take_cell(self, island: Island, key: OrderKey, cell: Cell) -> None:
        island.hand_over(cell, key[-1])
        if not self._cells_held[key[-1]]:
            del self._idle[bisect.bisect_left(self._idle, key)]
        self._cells_held[key[-1]] += 1

    def _lose_cell(self, key: OrderKey) -> None:
        self._cells_held[key[-1]] -= 1
        if not self._cells_held[key[-1]]:
            bisect.insort(self._idle, key)

    def _limit_population(self) -> None:
        """Forget the worst programs that hold no cell and are not among the archive's best."""
        while len(self._ranked) > self.config.population_size and self._idle:
            key = self._idle[-1]
            position = bisect.bisect_left(self._ranked, key)
            if position < self.config.archive_size:
                break
            self._idle.pop()
            del self._ranked[position]
            del self._elites[key[-1]]
            del self._cells_held[key[-1]]
            self._estimates.pop(key[-1], None)
            for island in self.islands:
                if key[-1] in island.members:
                    island.forget(key)

    def revalue(self, estimates: Mapping[str, float]) -> None:
        """Let these estimates count from now on, and find the best of each cell and island anew.

        With independent normal errors the higher estimate is the one that is more probably better: an elite
        that held its cell by luck loses it once more is known. Costs a sort of all members.
        """
        self._estimates.update((name, value) for name, value in estimates.items() if name in self._elites)
        self._place_anew()

    def emigrants(self) -> list[Move]:
        """Each island's best, to both neighbours of the ring; one that is there already does not move."""
        count = len(self.islands)
        moves: dict[tuple[str, int], Move] = {}
        for source, island in enumerate(self.islands):
            migrants = island.best(max(1, round(self.config.migration_rate * len(island.members))))
            for target in sorted({(source - 1) % count, (source + 1) % count} - {source}):
                there = self.islands[target].members
                for elite in migrants:
                    if elite.id not in there:
                        moves.setdefault((elite.id, target), (elite.id, source, target))
        return list(moves.values())

    def settle(self, program_id: str, island: int) -> None:
        """Place a copy of a member on another island, unless one is there."""
        elite = self.member(program_id)
        if program_id not in self.islands[island].members:
            self._place(self.islands[island], elite, self.order(elite), self.cell(elite))

    def member(self, program_id: str) -> Elite:
        """Raises KeyError where the program is not, or no longer, in the population."""
        return self._elites[program_id]

    def annotate(self, program_id: str, name: str, text: str) -> None:
        """Add an artifact to a member, if it still is one: it is shown with the program from now on."""
        if program_id not in self._elites:
            return
        elite = self._elites[program_id]
        annotated = replace(elite, artifacts={**elite.artifacts, name: text})
        self._elites[program_id] = annotated
        for island in self.islands:
            if program_id in island.members:
                island.members[program_id] = annotated

    def add_failure(self, failure: Failure) -> None:
        """Keep a failure with each of its parents, the latest few."""
        for parent in failure.program.parent_ids:
            self._failures.setdefault(parent, deque(maxlen=_FAILURES_PER_PARENT)).append(failure)

    def failures_of(self, parent_id: str) -> list[Failure]:
        """Failed children, latest first."""
        return list(reversed(self._failures.get(parent_id, ())))

    def best(self, count: int = 1) -> list[Elite]:
        """The best programs over all islands, best first."""
        return [self._elites[key[-1]] for key in self._ranked[:count]]

    def archive(self) -> list[Elite]:
        """The best of each island's cells and the ``archive_size`` best programs of all, best first."""
        kept = {elite.id: elite for elite in self.best(self.config.archive_size)}
        for island in self.islands:
            kept |= {elite.id: elite for elite in island.elites()}
        return sorted(kept.values(), key=self.order)

    def __len__(self) -> int:
        return len(self._ranked)

    def stats(self) -> ArchiveStats:
        elites, qd_score = len(self.archive_cells), math.fsum(-key[0] for key in self.archive_cells.values())
        cells = math.prod(axis.bins for axis in self.axes)
        return ArchiveStats(
            cells=cells,
            elites=elites,
            coverage=elites / cells,
            qd_score=qd_score,
            best=-self._ranked[0][0] if self._ranked else None,
            mean=qd_score / elites if elites else None,
        )
