"""How good a program is. A run needs ``evaluate`` alone; ``units`` and ``measure`` are for its final.

Whatever the program does, it must not be able to make up its score: draw the data here, and check what it
returns here.
"""

import math
import runpy
from random import Random

SAMPLES, VALUES = 40, 30
OUTLIERS = {"few outliers": 0.05, "many outliers": 0.25}  # a share of the values, by unit


def evaluate(program_path: str) -> dict[str, float]:
    """``combined_score`` is what a run raises. Other metrics are shown, and can be axes of the archive."""
    measured = {unit: measure(program_path, unit, repeat=0) for unit in OUTLIERS}
    score = sum(metrics["combined_score"] for metrics in measured.values()) / len(measured)
    errors = {f"{unit.replace(' ', '_')}_error": m["error"] for unit, m in measured.items()}
    return {"combined_score": score, **errors}


def units() -> list[dict[str, str]]:
    """What can be measured again. A final measures the best programs on fresh samples of each."""
    return [{"name": unit, "group": unit} for unit in OUTLIERS]


def measure(program_path: str, unit: str, repeat: int) -> dict[str, float]:
    """One unit, on samples of their own for every repeat: equal repeats are equal for all programs."""
    centre = runpy.run_path(program_path)["centre"]
    squares = []
    for number in range(SAMPLES):
        rng = Random(f"{unit} {repeat} {number}")
        truth = rng.uniform(-1, 1)
        found = float(centre(sample(rng, truth, OUTLIERS[unit])))
        if not math.isfinite(found):
            raise ValueError(f"expected a finite number from centre(), found {found}")
        squares.append((found - truth) ** 2)
    error = math.sqrt(sum(squares) / len(squares))
    return {"combined_score": 1 / (1 + error), "error": error}


def sample(rng: Random, truth: float, outliers: float) -> list[float]:
    """Values around the truth, some of them far above it."""
    return [rng.gauss(truth, 1) + (8 if rng.random() < outliers else 0) for _ in range(VALUES)]
