"""Two programs by their fresh measurements alone: those of a final, and those that somebody asked for."""

from collections.abc import Mapping, Sequence
from math import exp, fsum, lgamma, log, log1p, sqrt
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
    """Two-sided p-value of Student's t: the regularized incomplete beta function of (degrees / 2, 1/2)."""
    square = t * t
    if square < 1:  # there 1 - x would lose what t says
        return 1 - _incomplete_beta(square / (degrees + square), 0.5, degrees / 2)
    return _incomplete_beta(degrees / (degrees + square), degrees / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """By its continued fraction (Abramowitz and Stegun, 26.5.8), with Lentz's method."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    tiny = 1e-300
    d = 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    c, fraction = 1.0, d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = fraction
        for step in (even, odd):
            d = 1 / _away(1 + step * d, tiny)
            c = _away(1 + step / c, tiny)
            fraction *= c * d
        if abs(fraction - before) < 1e-15 * abs(fraction):
            break
    return min(1.0, front * fraction)


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def weights_of(units: Sequence[Any]) -> Mapping[str, float]:
    """Of units in a fitness that is the mean over groups of the mean over a group's units."""
    real = [unit for unit in units if not unit.proxy]
    groups = [unit.group for unit in real]
    return {unit.name: 1 / len(set(groups)) / groups.count(unit.group) for unit in real}
