"""The project's own table: real trainings of programs that stem from each other, on two real data sets.

Written by ``benchmarks/trainings.py``. The truth of a program is the mean of its trainings, and a measurement
is one of them, drawn anew for each seed and repeat, a little further from the mean: by what six have too
little of spread about their own mean.

What is proposed from a program is what stands near it in the family: with probability 1/2 a program one step
away (made of it, or what it was made of), with 1/4 one that is two steps away, and so on. Who is one step
away was really made by one offline mutation or one reply. So the bed shows how a search copes with real
noise, and with a landscape that real mutations made. It cannot show what a model would have proposed to
parents that nobody ever asked about: most programs have few relatives at one step.
"""

import random
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.tables import Floats, Table, bins, with_residuals
from openevolve.records.measurement import Unit

TABLE = Path(__file__).resolve().parent.parent / "results" / "2026-11-27_trainings.npz"
REPEATS = 6  # of each program and data set; a few programs have one more, which is left out


@dataclass(frozen=True)
class Family:
    """A space of programs by their parents, (P,) rows, -1 for the first."""

    parents: NDArray[np.int64]
    scores: Floats  # (P,)

    @cached_property
    def circles(self) -> list[list[list[int]]]:
        """By program: those one step away, those two steps away ..."""
        near: list[set[int]] = [set() for _ in self.parents]
        for child, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                near[child].add(parent)
                near[parent].add(child)
        return [_circles(program, near) for program in range(len(near))]

    def initial(self, rng: random.Random) -> int:
        """Of the lower half, but not of the worst quarter."""
        low, high = np.quantile(self.scores, [0.25, 0.5])
        return rng.choice(np.flatnonzero((self.scores >= low) & (self.scores <= high)).tolist())

    def child(self, program: int, rng: random.Random) -> int:
        circles = self.circles[program]
        steps = 1
        while rng.random() < 0.5:
            steps += 1
        return rng.choice(circles[min(steps, len(circles)) - 1])

    def independent(self, rng: random.Random) -> int:
        return rng.randrange(len(self.parents))


def _circles(program: int, near: list[set[int]]) -> list[list[int]]:
    steps = {program: 0}
    waiting = deque([program])
    while waiting:
        here = waiting.popleft()
        for other in sorted(near[here]):
            if other not in steps:
                steps[other] = steps[here] + 1
                waiting.append(other)
    found: list[list[int]] = [[] for _ in range(max(steps.values()))]
    for other, count in steps.items():
        if count:
            found[count - 1].append(other)
    return found


def trainings(path: Path = TABLE) -> Floats:
    """(P, 2, REPEATS) validation AUC, that of the best epoch, as a run takes it."""
    with np.load(path) as arrays:
        values: Floats = np.nanmax(arrays["val_auc"][:, :, :REPEATS], axis=3).astype(np.float64)
    return values


def own_table(path: Path = TABLE, repeats: int = 1) -> Table:
    """Fitness is the mean AUC of both data sets; ``repeats`` of each in the full protocol.

    Archive: 6 x 6 cells over parameters and multiply-adds (log). Costs are images trained on, those of
    BreastMNIST being 1.
    """
    values = trainings(path)
    with np.load(path) as arrays:
        parents = arrays["parents"].astype(np.int64)
        datasets, costs = arrays["datasets"].tolist(), arrays["costs"].astype(np.float64)
        size, work = np.log10(arrays["params"]), np.log10(arrays["multiply_adds"])
    units = tuple(
        Unit(name, name, cost=float(cost / costs[0]), repeats=repeats, scale="logit")
        for name, cost in zip(datasets, costs, strict=True)
    )
    space = Family(parents, values.mean(axis=(1, 2)))
    return with_residuals("own", units, values, bins(size, 6) * 6 + bins(work, 6), space, 0)
