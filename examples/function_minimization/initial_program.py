"""Find the minimum of a function of two variables that has many local minima."""

import math
from collections.abc import Callable
from random import Random

Point = tuple[float, float]


# EVOLVE-BLOCK-START
def search(f: Callable[[float, float], float], low: float, high: float, calls: int, rng: Random) -> Point:
    """The lowest point found by simulated annealing in the square [low, high]² with so many calls of f."""
    step, temperature, cooling = 0.1, 0.5, 0.97
    point = (rng.uniform(low, high), rng.uniform(low, high))
    value = f(*point)
    best, lowest = point, value
    for _ in range(calls - 1):
        x, y = (min(high, max(low, c + rng.gauss(0, step * (high - low)))) for c in point)
        candidate = f(x, y)
        if candidate < value or rng.random() < math.exp((value - candidate) / temperature):
            point, value = (x, y), candidate
        if value < lowest:
            best, lowest = point, value
        temperature = max(1e-9, temperature * cooling)
    return best


# EVOLVE-BLOCK-END
