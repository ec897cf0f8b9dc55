"""The archive's axes: where a program lies on each of them."""

import bisect
import math
from dataclasses import dataclass

from openevolve.settings.models import Config


@dataclass(frozen=True)
class Axis:
    """One dimension of the archive, cut at inner edges; values outside go to the end bins."""

    name: str
    edges: tuple[float, ...]
    follows: bool = False  # the values that programs have: ``population.scaling``

    @property
    def bins(self) -> int:
        return len(self.edges) + 1

    def bin(self, value: float) -> int:
        """The bin of a finite value: bin ``i`` holds ``edges[i-1] <= value < edges[i]``."""
        if not math.isfinite(value):
            raise ValueError(f"axis {self.name}: expected a finite value, found {value}")
        return bisect.bisect_right(self.edges, value)


def declared_axes(config: Config) -> tuple[Axis, ...]:
    """The archive's axes: ``features``, whose edges never move, or ``database.feature_dimensions``.

    The latter follow the values that programs have. Before there are two, ``complexity`` (characters of code)
    runs from 0 to ``max_code_length``, and ``diversity`` (see ``dissimilarity``) and metrics from 0 to 1.
    """
    if config.features:
        return tuple(Axis(name, bins.inner_edges()) for name, bins in config.features.items())
    axes = []
    for name in config.database.feature_dimensions:
        bins = config.database.feature_bins
        count = bins if isinstance(bins, int) else bins.get(name, 10)
        high = float(config.max_code_length) if name == "complexity" else 1.0
        axes.append(Axis(name, tuple(high * i / count for i in range(1, count)), follows=True))
    return tuple(axes)


def line_set(code: str) -> frozenset[str]:
    """The distinct stripped lines of a program."""
    return frozenset(line.strip() for line in code.splitlines() if line.strip())


def dissimilarity(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard distance of two line sets: 0 for the same lines, 1 for none in common."""
    union = len(first | second)
    return 1 - len(first & second) / union if union else 0.0
