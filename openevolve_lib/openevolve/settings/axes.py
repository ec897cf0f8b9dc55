"""The archive's axes, where they are declared."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator


class FeatureBins(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The bins of one archive axis, by their inner edges or by ``low``, ``high`` and ``count``."""

    edges: list[float] | None = None
    low: float | None = None
    high: float | None = None
    count: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> "FeatureBins":
        by_range = [self.low, self.high, self.count]
        if self.edges is not None:
            if any(value is not None for value in by_range):
                raise ValueError("expected either edges or low, high and count, found both")
            if not self.edges or sorted(set(self.edges)) != self.edges:
                raise ValueError(f"expected edges that rise, found {self.edges}")
        elif self.low is None or self.high is None or self.count is None:
            raise ValueError("expected edges, or all three of low, high and count")
        elif not self.low < self.high:
            raise ValueError(f"expected low < high, found {self.low} and {self.high}")
        return self

    def inner_edges(self) -> tuple[float, ...]:
        """The rising boundaries between bins; ``len(inner_edges()) + 1`` bins."""
        if self.edges is not None:
            return tuple(self.edges)
        assert self.low is not None
        assert self.high is not None
        assert self.count is not None
        width = (self.high - self.low) / self.count
        return tuple(self.low + width * i for i in range(1, self.count))
