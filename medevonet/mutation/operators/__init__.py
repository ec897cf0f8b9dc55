"""Operators on a network: each proposes one change, ``network.check`` decides whether it is sound.

Another package adds its own as entry points of the group ``medevonet.operators``, each an ``Operator``.
"""

from importlib.metadata import entry_points

from . import blocks, depth, head, pointwise, spatial, width
from .common import Edit, NotApplicableError, Operator

OPERATORS: tuple[Operator, ...] = (
    *width.OPERATORS,
    *depth.OPERATORS,
    *spatial.OPERATORS,
    *blocks.OPERATORS,
    *pointwise.OPERATORS,
    *head.OPERATORS,
    *(point.load() for point in sorted(entry_points(group="medevonet.operators"))),
)

__all__ = ["OPERATORS", "Edit", "NotApplicableError", "Operator"]
