"""Score of a packing: the sum of its radii, for several numbers of circles.

A cascade: stage 1 packs five circles, and only programs that do so halfway well go on to stage 2.
"""

import math
import runpy
from collections.abc import Iterable
from itertools import combinations

QUICK, ALL = (5,), (7, 10, 13)
TOLERANCE = 1e-9

Circle = tuple[float, float, float]


def evaluate_stage1(program_path: str) -> dict[str, float]:
    return _score(program_path, QUICK)


def evaluate_stage2(program_path: str) -> dict[str, float]:
    return _score(program_path, ALL)


def evaluate(program_path: str) -> dict[str, float]:
    """The whole score, for ``evaluator.cascade_evaluation: false``."""
    return evaluate_stage2(program_path)


def _score(program_path: str, numbers: tuple[int, ...]) -> dict[str, float]:
    """Sums of radii relative to √n / 2, what a square grid of n = k² equal circles has."""
    pack = runpy.run_path(program_path)["pack"]
    sums = {n: sum_of_radii(pack(n), n) for n in numbers}
    relative = [total / (math.sqrt(n) / 2) for n, total in sums.items()]
    return {"combined_score": sum(relative) / len(relative)} | {f"sum_{n}": sums[n] for n in numbers}


def sum_of_radii(packing: Iterable[Circle], n: int) -> float:
    """The sum, once the packing has been checked. Raises ValueError where it is none."""
    circles = [(float(x), float(y), float(radius)) for x, y, radius in packing]
    if len(circles) != n:
        raise ValueError(f"expected {n} circles, found {len(circles)}")
    for x, y, radius in circles:
        finite = math.isfinite(x + y + radius)  # NaN would pass comparisons that look for faults
        if not finite or radius < 0 or radius > min(x, y, 1 - x, 1 - y) + TOLERANCE:
            raise ValueError(f"expected circles inside the unit square, found {(x, y, radius)}")
    for (x1, y1, r1), (x2, y2, r2) in combinations(circles, 2):
        if math.dist((x1, y1), (x2, y2)) < r1 + r2 - TOLERANCE:
            raise ValueError(f"expected no overlap, found {(x1, y1, r1)} and {(x2, y2, r2)}")
    return math.fsum(radius for _, _, radius in circles)
