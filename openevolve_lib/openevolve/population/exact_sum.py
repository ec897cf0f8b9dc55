"""A sum that can be kept up to date without drifting."""

import math


class ExactSum:
    """The sum of finite floats without rounding, in whatever order they are added and taken away.

    Kept as a few floats that do not overlap, as ``math.fsum`` does (Shewchuk, 1997).
    """

    def __init__(self) -> None:
        self._parts: list[float] = []

    def add(self, value: float) -> None:
        parts = []
        for part in self._parts:
            if abs(value) < abs(part):
                value, part = part, value
            total = value + part
            lost = part - (total - value)
            if lost:
                parts.append(lost)
            value = total
        self._parts = [*parts, value]

    def rounded(self) -> float:
        """The float nearest to the sum."""
        return math.fsum(self._parts)
