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
    values has beyond the mean squared error (never below 0). The centre is weighted by precision; that it is
    not known exactly is part of ``sd`` (Morris, 1983). Fewer than three values are left as they are.
    """
    if len(values) < 3:
        return [Shrunk(value, error) for value, error in zip(values, errors, strict=True)]
    mean = fmean(values)
    total = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    between = max(0.0, total - fmean(error**2 for error in errors))
    variances = [between + error**2 for error in errors]
    if min(variances) == 0:  # some value is exact, and the others are taken for as good
        return [Shrunk(value, error) for value, error in zip(values, errors, strict=True)]
    precision = math.fsum(1 / variance for variance in variances)
    centre = (
        math.fsum(value / variance for value, variance in zip(values, variances, strict=True)) / precision
    )
    result = []
    for value, error, variance in zip(values, errors, variances, strict=True):
        kept = between / variance
        sd = math.sqrt(kept * error**2 + (1 - kept) ** 2 / precision)
        result.append(Shrunk(centre + kept * (value - centre), sd))
    return result


def luck_of_the_best(count: int, error: float) -> float:
    """By how much the best of ``count`` equally good programs seems better than they are, on average.

    The expected largest of ``count`` normal errors, by Blom's approximation (1958).
    """
    if count < 2:
        return 0.0
    return error * NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
