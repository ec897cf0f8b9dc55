"""What the best of many is likely worth: luck that was selected is taken back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean


@dataclass(frozen=True)
class Shrunk:
    """A mean with its standard deviation, after shrinkage."""

    mean: float
    sd: float


def shrunk(values: Sequence[float], errors: Sequence[float]) -> list[Shrunk]:
    """Normal-normal empirical Bayes (Efron and Morris, 1975, with unequal errors).

    ``values`` have the standard errors ``errors``. The variance between programs is what the variance of the
    values has beyond the mean squared error, at least 0. Fewer than three values are left as they are.
    """
    if len(values) < 3:
        return [Shrunk(value, error) for value, error in zip(values, errors, strict=True)]
    centre = fmean(values)
    total = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    between = max(0.0, total - fmean(error**2 for error in errors))
    result = []
    for value, error in zip(values, errors, strict=True):
        kept = between / (between + error**2) if between + error**2 > 0 else 1.0
        result.append(Shrunk(centre + kept * (value - centre), error * math.sqrt(kept)))
    return result


def luck_of_the_best(count: int, error: float) -> float:
    """By how much the best of ``count`` equally good programs seems better than they are, on average.

    The expected largest of ``count`` normal errors, by Blom's approximation (1958).
    """
    if count < 2:
        return 0.0
    return error * NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
