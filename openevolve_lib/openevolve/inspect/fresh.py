"""Two programs by their fresh measurements alone: those of a final, and those that somebody asked for."""

from collections.abc import Sequence
from math import fsum, sqrt
from statistics import fmean
from typing import Any

Answer = dict[str, Any]
Fresh = Sequence[tuple[str, float, float]]  # unit, its weight in the fitness, value


def compared(first: Fresh, second: Fresh) -> Answer | None:
    """The difference over the units that both were measured on, pairing unit with unit.

    The spread of a unit is pooled over both programs, the error has Satterthwaite's (1946) degrees of freedom
    and the two-sided p-value is Student's. Where no unit was measured more than once by either, nothing is
    known of the spread: ``error``, ``degrees`` and ``p_value`` are None. ``n`` are the measurements of each.
    None where they have no unit in common.
    """
    mine, others = _by_unit(first), _by_unit(second)
    common = [unit for unit in mine if unit in others]
    if not common:
        return None
    weights = {unit: weight for unit, weight, _ in first if unit in others}
    whole = fsum(weights.values())
    difference = fsum(weights[unit] / whole * (fmean(mine[unit]) - fmean(others[unit])) for unit in common)
    found: Answer = {
        "difference": difference,
        "units": len(common),
        "n": [sum(len(values[unit]) for unit in common) for values in (mine, others)],
        "error": None,
        "degrees": None,
        "p_value": None,
    }
    parts = [_variance(mine[unit], others[unit], weights[unit] / whole) for unit in common]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return found
    variance = fsum(part for part, _ in known)
    if variance == 0:
        return found | {"error": 0.0, "p_value": 0.0 if difference else 1.0}
    degrees = variance**2 / fsum(part**2 / count for part, count in known)
    error = sqrt(variance)
    return found | {"error": error, "degrees": degrees, "p_value": student(difference / error, degrees)}


def _by_unit(fresh: Fresh) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for unit, _, value in fresh:
        found.setdefault(unit, []).append(value)
    return found


def _variance(first: Sequence[float], second: Sequence[float], weight: float) -> tuple[float, int] | None:
    """Of a unit's part in the difference, and its degrees of freedom; None where each has one value."""
    degrees = len(first) + len(second) - 2
    if not degrees:
        return None
    squares = fsum((value - fmean(values)) ** 2 for values in (first, second) for value in values)
    return weight**2 * squares / degrees * (1 / len(first) + 1 / len(second)), degrees


def student(t: float, degrees: float) -> float:
    """Two-sided p-value of Student's t."""
    from scipy.special import stdtr  # only here: a reader of a run starts faster without it

    return 2 * float(stdtr(degrees, -abs(t)))
