"""Operators on a network: each proposes one change, ``network.check`` decides whether it is sound."""

from . import blocks, depth, head, pointwise, spatial, width
from .common import Edit, NotApplicableError, Operator

OPERATORS: tuple[Operator, ...] = (
    *width.OPERATORS,
    *depth.OPERATORS,
    *spatial.OPERATORS,
    *blocks.OPERATORS,
    *pointwise.OPERATORS,
    *head.OPERATORS,
)

__all__ = ["OPERATORS", "Edit", "NotApplicableError", "Operator"]
