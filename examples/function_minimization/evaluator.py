"""Score of a search: how low it comes with a fixed number of calls of functions whose minima are known.

The program gets the functions as black boxes that count their calls; the point that it returns is measured
here.
"""

import math
import runpy
from collections.abc import Callable
from random import Random
from statistics import median

from openevolve.evaluation_result import EvaluationResult

LOW, HIGH = -5.0, 5.0
CALLS = 300
REPEATS = 8

Function = Callable[[float, float], float]


def rastrigin(x: float, y: float) -> float:
    """A grid of local minima in a bowl; 0 at the origin (Rastrigin, 1974)."""
    return 20 + sum(c * c - 10 * math.cos(2 * math.pi * c) for c in (x, y))


def ackley(x: float, y: float) -> float:
    """A narrow well in a rippled plain; 0 at the origin (Ackley, 1987)."""
    well = 20 * math.exp(-0.2 * math.sqrt((x * x + y * y) / 2))
    ripples = math.exp((math.cos(2 * math.pi * x) + math.cos(2 * math.pi * y)) / 2)
    return 20 + math.e - well - ripples


def himmelblau(x: float, y: float) -> float:
    """Four minima of equal depth, all 0 (Himmelblau, 1972)."""
    return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2


FUNCTIONS: tuple[Function, ...] = (rastrigin, ackley, himmelblau)


def evaluate(program_path: str) -> EvaluationResult:
    """Mean of 1 / (1 + gap) over functions and repeats, where gap is the height above the minimum."""
    search = runpy.run_path(program_path)["search"]
    gaps = {function.__name__: [_gap(search, function, n) for n in range(REPEATS)] for function in FUNCTIONS}
    scores = [1 / (1 + gap) for found in gaps.values() for gap in found]
    lines = [f"{name}: median {median(found):.3g}, worst {max(found):.3g}" for name, found in gaps.items()]
    return EvaluationResult(
        metrics={"combined_score": sum(scores) / len(scores), "worst_score": min(scores)},
        artifacts={"height above the minimum": "\n".join(lines)},
    )


def _gap(search: Callable[..., tuple[float, float]], function: Function, repeat: int) -> float:
    """Height above the minimum, which is 0, of what one search returns.

    The function is moved a little, so that no minimum lies in the middle of the square.
    """
    rng = Random(repeat)
    dx, dy = rng.uniform(-1, 1), rng.uniform(-1, 1)
    calls = 0

    def f(x: float, y: float) -> float:
        nonlocal calls
        calls += 1
        if calls > CALLS:
            raise RuntimeError(f"expected at most {CALLS} calls of the function, found more")
        return function(x - dx, y - dy)

    x, y = map(float, search(f, LOW, HIGH, CALLS, rng))
    if not (LOW <= x <= HIGH and LOW <= y <= HIGH):
        raise ValueError(f"expected a point within [{LOW}, {HIGH}]², found ({x}, {y})")
    return function(x - dx, y - dy)
