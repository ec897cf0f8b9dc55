"""Several objectives, each better the larger: dominance, NSGA-II's fronts and crowding, SPEA2's selection."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def dominance(points: Floats) -> NDArray[np.bool_]:
    """(n, n): whether row i is at least as good as row j in all objectives, and better in one.

    Args:
        points: (n, m) objectives.
    """
    as_good = (points[:, None, :] >= points[None, :, :]).all(axis=2)
    return np.asarray(as_good & ~as_good.T, dtype=np.bool_)


def fronts(points: Floats) -> Ints:
    """(n,) the number of each point's front, from 0, which nothing dominates."""
    dominates = dominance(points)
    rank = np.full(len(points), -1, dtype=np.int64)
    number = 0
    while (rank < 0).any():
        left = rank < 0
        rank[left & ~(dominates & left[:, None]).any(axis=0)] = number
        number += 1
    return rank


def crowding(points: Floats) -> Floats:
    """(n,) crowding distances within one front (Deb et al., 2002); infinite at the ends of an objective."""
    distance = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        spread = values[order[-1]] - values[order[0]] if len(order) else 0.0
        if spread > 0:
            distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / spread
        distance[order[[0, -1]] if len(order) else order] = np.inf
    return distance


def crowding_by_front(points: Floats) -> tuple[Ints, Floats]:
    """The front of each point, and its crowding distance within that front."""
    rank = fronts(points)
    distance = np.empty(len(points))
    for number in np.unique(rank):
        rows = rank == number
        distance[rows] = crowding(points[rows])
    return rank, distance


def nsga2(points: Floats, count: int) -> Ints:
    """Rows of the ``count`` survivors: by front, within the last one the least crowded; in rising order."""
    rank, distance = crowding_by_front(points)
    return np.sort(np.lexsort((-distance, rank))[:count])


def spea2(points: Floats, count: int) -> Ints:
    """Rows of the ``count`` elites (Zitzler, Laumanns and Thiele, 2001), in rising order.

    Objectives are scaled to 0 to 1. What nothing dominates comes first; where that is too much, the one that
    is closest to another leaves, again and again.
    """
    if len(points) <= count:
        return np.arange(len(points))
    spread = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    apart = np.sqrt(((scaled[:, None, :] - scaled[None, :, :]) ** 2).sum(axis=2))
    dominates = dominance(points)
    strength = dominates.sum(axis=1)
    raw = (dominates * strength[:, None]).sum(axis=0)
    nearest = min(int(np.sqrt(len(points))), len(points) - 1)
    fitness = raw + 1 / (np.sort(apart, axis=1)[:, nearest] + 2)
    chosen = list(np.flatnonzero(raw == 0))
    if len(chosen) < count:
        return np.sort(np.argsort(fitness, kind="stable")[:count])
    while len(chosen) > count:
        among = apart[np.ix_(chosen, chosen)] + np.diag(np.full(len(chosen), np.inf))
        closest = np.lexsort(np.sort(among, axis=1).T[::-1])[0]
        del chosen[closest]
    return np.array(chosen, dtype=np.int64)
