"""Perturbation of numbers: for programs of any kind, and as a last resort."""

import math
from random import Random

import libcst as cst

from .mutation import Variation
from .source import LEAVES, Source

SPREAD = 0.3
"""Standard deviation of the logarithm of the factor by which a number changes."""
LARGEST = 10**9
"""Larger integers are masks, seeds and hashes rather than settings."""

Number = cst.Integer | cst.Float


def vary_constants(
    source: Source, rng: Random, count: int, kinds: tuple[type[Number], ...] = (cst.Integer, cst.Float)
) -> Variation | None:
    """Change up to ``count`` numbers in evolve blocks, or in function bodies where there are none.

    Signs stay, integers stay integers of 2 or more, and floats between 0 and 1 stay there. Zero, one,
    indices and annotations are left alone: they hold loops and shapes together. Numbers of other ``kinds``
    stay too. Returns None where no number is left.
    """
    collector = _Collector(source, kinds)
    source.module.visit(collector)
    found = collector.found
    chosen = rng.sample(found, min(count, len(found)))
    changed = {node: _perturbed(node, rng) for node in chosen}
    nodes: dict[cst.CSTNode, cst.CSTNode] = {
        old: new for old, new in changed.items() if new.value != old.value
    }
    if not nodes:
        return None
    notes = tuple(f"{old.value} → {new.value}" for old, new in changed.items() if old in nodes)
    return Variation(source.replace(nodes).code, ("perturb_constant",) * len(nodes), notes)


class _Collector(cst.CSTVisitor):
    def __init__(self, source: Source, kinds: tuple[type[Number], ...]) -> None:
        super().__init__()
        self.found: list[Number] = []
        self._source = source
        self._kinds = kinds
        self._depth = int(source.blocks.has_markers)  # in a block, the module's own level counts too

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.SubscriptElement | cst.Annotation | cst.FormattedString):
            return False
        self._depth += isinstance(node, cst.FunctionDef)
        if self._depth and isinstance(node, self._kinds) and _varies(node) and self._source.editable(node):
            self.found.append(node)
        return type(node) not in LEAVES

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._depth -= isinstance(original_node, cst.FunctionDef)


def _varies(node: Number) -> bool:
    if isinstance(node, cst.Integer):
        return node.value.isdecimal() and 2 <= node.evaluated_value <= LARGEST
    return node.evaluated_value != 0 and math.isfinite(node.evaluated_value)


def _perturbed(node: Number, rng: Random) -> Number:
    factor = math.exp(rng.gauss(0, SPREAD))
    old = node.evaluated_value
    if isinstance(node, cst.Integer):
        new = round(old * factor)
        return cst.Integer(str(max(2, new if new != old else old + rng.choice((-1, 1)))))
    value = float(f"{old * factor:.4g}")
    if old < 1 <= value:
        value = (1 + old) / 2
    return cst.Float(repr(value)) if math.isfinite(value) and value else node
