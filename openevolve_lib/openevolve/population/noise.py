"""The variance of a unit's noise, pooled over programs that were measured repeatedly."""

import numpy as np
from numpy.typing import NDArray

_Z99 = 2.3263
_ROUNDS = 20


def pooled_variance(squares: NDArray[np.float64], degrees: NDArray[np.int64]) -> float:
    """Variance of normal noise from each program's sum of squares about its own mean.

    Args:
        squares: (n,) sums of squares.
        degrees: (n,) degrees of freedom, repeats less one; programs with none count for nothing.

    Robust: a program counts for no more than the 99th percentile of what the pooled variance lets
    expect (Wilson and Hilferty's approximation of chi-squared), so that a training that went astray
    does not widen every interval. What that takes from normal noise is given back (Huber, 1964): else the
    variance of many pairs came out a tenth too low. 0 where nothing was repeated.
    """
    known = degrees > 0
    squares, dof = squares[known], degrees[known].astype(np.float64)
    if not len(squares):
        return 0.0
    limit = dof * (1 - 2 / (9 * dof) + _Z99 * np.sqrt(2 / (9 * dof))) ** 3
    kept = _kept(limit, dof)
    variance = float(squares.sum() / dof.sum())
    for _ in range(_ROUNDS):
        clipped = float(np.minimum(squares, limit * variance).sum() / dof.sum()) / kept
        if clipped >= variance * (1 - 1e-9):
            break
        variance = clipped
    return variance


def _kept(limit: NDArray[np.float64], degrees: NDArray[np.float64]) -> float:
    """Which share of normal noise of variance 1 is left where no sum of squares is above its limit."""
    from scipy import special  # only here: a run that repeats nothing starts without it

    below = degrees * special.chdtr(degrees + 2, limit) + limit * special.chdtrc(degrees, limit)
    return float(below.sum() / degrees.sum())
