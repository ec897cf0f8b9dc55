"""Axes without declared edges: these follow the values that programs have, and stand still in between.

As in OpenEvolve an axis is cut into equal bins from the lowest to the highest value. Edges move at a few
moments only, ever further apart, and every program is then placed anew: none stays in a cell that it does not
belong to. Values far outside (by more than three interquartile ranges) do not stretch an axis: they go to its
end bins.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openevolve.population.axes import Axis

_FENCE = 3.0  # interquartile ranges beyond the quartiles (Tukey's outer fence)


def next_scaling(programs: int) -> int:
    """At how many programs edges move next, after they moved at so many."""
    return max(programs + 1, programs * 3 // 2)


def scaled(axis: Axis, values: Sequence[float]) -> Axis:
    """The axis with as many bins over these values; as it is where they do not differ."""
    low, high = _range(values)
    count = axis.bins
    edges = tuple(float(low / count * (count - i) + high / count * i) for i in range(1, count))
    rises = all(earlier < later for earlier, later in zip((low, *edges), (*edges, high), strict=True))
    return replace(axis, edges=edges) if rises else axis


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value that is not far outside."""
    lower, upper = np.quantile(values, [0.25, 0.75])
    reach = _FENCE * (upper / 2 - lower / 2) * 2
    inside = [value for value in values if lower - reach <= value <= upper + reach] if reach > 0 else values
    return min(inside), max(inside)
