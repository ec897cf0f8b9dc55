"""Which program is changed next, from estimates: one small class a strategy.

Each chooses a row of ``Candidates`` with random numbers that it is given, and keeps nothing: equal
candidates and equal random numbers give an equal choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Programs that can be parents, in the order of their first measurement; at least one."""

    ids: Sequence[str]
    means: Floats  # (n,) expected fitness
    sds: Floats  # (n,) its standard error
    children: NDArray[np.int64]  # (n,) how many were made of each
    cells: NDArray[np.int64]  # (n,) a number of the cell in the archive: equal in an equal cell

    def ranked(self, values: Floats) -> NDArray[np.int64]:
        """Rows from the highest value to the lowest; the earlier first on a tie."""
        return np.argsort(-values, kind="stable")

    def drawn(self, rng: np.random.Generator) -> Floats:
        """A fitness of each that what is known allows."""
        return self.means + self.sds * rng.standard_normal(len(self.means))

    def elites(self, values: Floats) -> NDArray[np.int64]:
        """Rows of the highest of each cell, in the order of the cells."""
        order = self.ranked(values)
        _, first = np.unique(self.cells[order], return_index=True)
        return order[first]


class ParentChoice(Protocol):
    """How parents are chosen."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        """The parent's row."""


@dataclass(frozen=True)
class Uniform:
    """Every program is as likely: no selection at all, for comparisons."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        return int(rng.integers(len(candidates.ids)))


@dataclass(frozen=True)
class Thompson:
    """The best by a draw from the estimates (Thompson, 1933): as likely as it is to be the best."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        return int(np.argmax(candidates.drawn(rng)))


@dataclass(frozen=True)
class DrawnTop:
    """One of the best ``share`` by a draw from the estimates, or with ``explore`` the elite of any cell.

    The draw lets a program in as often as it may belong there. That several are equally likely keeps a
    search that knows its scores exactly from one parent alone.
    """

    share: float = 0.1
    explore: float = 0.0

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        drawn = candidates.drawn(rng)
        if rng.random() < self.explore:
            return int(rng.choice(candidates.elites(drawn)))
        count = max(1, int(np.ceil(self.share * len(candidates.ids))))
        return int(candidates.ranked(drawn)[rng.integers(count)])


@dataclass(frozen=True)
class Sigmoid:
    """ShinkaEvolve's weight, sigmoid(strength (f - median) / MAD) / (1 + children) (arXiv 2509.19349)."""

    strength: float = 10.0

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        away = candidates.means - np.median(candidates.means)
        spread = float(np.median(np.abs(away))) or 1.0
        raised = np.clip(self.strength * away / spread, -50, 50)
        weights = 1 / (1 + np.exp(-raised)) / (1 + candidates.children)
        return int(rng.choice(len(weights), p=weights / weights.sum()))


@dataclass(frozen=True)
class Puct:
    """The highest of value + exploration x prior x sqrt(1 + all children) / (1 + children).

    As in TTT-Discover: values are scaled to 0 to 1, the prior falls linearly with the rank.
    """

    exploration: float = 1.0

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        means = candidates.means
        ranks = np.empty(len(means))
        ranks[candidates.ranked(means)] = np.arange(len(means))
        prior = len(means) - ranks
        prior /= prior.sum()
        values = (means - means.min()) / (float(np.ptp(means)) or 1.0)
        bonus = prior * np.sqrt(1 + candidates.children.sum()) / (1 + candidates.children)
        return int(np.argmax(values + self.exploration * bonus))


@dataclass(frozen=True)
class Mix:
    """OpenEvolve's mix by expected fitness, on one island: elites of cells, the best many, the best few."""

    exploration: float = 0.2
    exploitation: float = 0.7
    archive_size: int = 100
    elite_share: float = 0.1

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        draw = rng.random()
        if draw < self.exploration:
            return int(rng.choice(candidates.elites(candidates.means)))
        order = candidates.ranked(candidates.means)
        if draw < self.exploration + self.exploitation:
            return int(order[rng.integers(min(self.archive_size, len(order)))])
        return int(order[rng.integers(max(1, round(self.elite_share * len(order))))])


@dataclass(frozen=True)
class Latest:
    """The program that was measured last: sequential conditioning, for comparisons."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        return len(candidates.ids) - 1


@dataclass(frozen=True)
class Best:
    """The best by expected fitness: hill climbing, for comparisons."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        return int(np.argmax(candidates.means))


@dataclass(frozen=True)
class First:
    """The initial program: independent samples of the proposer, for comparisons."""

    def choose(self, candidates: Candidates, rng: np.random.Generator) -> int:
        return 0
