"""A program's text with both of its trees, and the parts of it that may change."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from openevolve.population.fingerprints import normalized, parse
from openevolve.proposing.edits import EditError
from openevolve.proposing.edits.evolve_blocks import Layout, layout
from openevolve.proposing.edits.source import explain, parses

from .mutation import MutationError

LEAVES = frozenset(
    {
        cst.Name,
        cst.Integer,
        cst.Float,
        cst.SimpleString,
        cst.Dot,
        cst.Comma,
        cst.AssignEqual,
        cst.SimpleWhitespace,
        cst.ParenthesizedWhitespace,
        cst.TrailingWhitespace,
        cst.EmptyLine,
    }
)
"""Nodes with nothing but layout below: visitors that pass them by take half the time."""


@dataclass(frozen=True)
class Source:
    """A parsed program; ``module`` is edited, ``tree`` only read, since walking it costs a tenth."""

    code: str
    module: cst.Module
    tree: ast.Module
    blocks: Layout

    @classmethod
    def parse(cls, code: str, max_length: int) -> "Source":
        """Parse ``code``; raises MutationError if it is too long, nested too deeply, or no sound Python."""
        if len(code) > max_length:
            raise MutationError(f"expected a program of at most {max_length} characters, found {len(code)}")
        # ast goes first: it refuses the nesting that would overflow the stack of libcst's native parser.
        try:
            tree = parse(code)
            return cls(code, cst.parse_module(code), tree, layout(code))
        except SyntaxError as error:
            raise MutationError(f"expected a Python program, found {explain(error)}") from error
        except (cst.ParserSyntaxError, RecursionError, EditError) as error:
            raise MutationError(f"expected a program that can be rewritten: {error}") from error

    @cached_property
    def imports(self) -> frozenset[tuple[str, str]]:
        """What the module imports under which name: ``import numpy as np`` is ``("np", "numpy")``."""
        found: set[tuple[str, str]] = set()
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                found |= {(name.asname or name.name, name.name) for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {(name.asname or name.name, f"{node.module}.{name.name}") for name in node.names}
        return frozenset(found)

    @cached_property
    def open_lines(self) -> frozenset[int]:
        """Numbers of the lines inside evolve blocks."""
        found: set[int] = set()
        line = 1
        for outside, inside in zip(self.blocks.outside, self.blocks.inside, strict=False):
            start = line + len(outside)
            line = start + len(inside)
            found.update(range(start, line))
        return frozenset(found)

    def editable(self, node: cst.CSTNode) -> bool:
        """Whether ``node`` lies in an evolve block, or the program has none."""
        if not self.blocks.has_markers:
            return True
        span = self._positions[node]
        return self.open_lines.issuperset(range(span.start.line, span.end.line + 1))

    def replace(self, new: Mapping[cst.CSTNode, cst.CSTNode]) -> cst.Module:
        """The module with nodes exchanged; all other text stays as it is."""
        return self.module.visit(_Exchange(new))

    def accepts(self, child: str) -> bool:
        """Whether ``child`` parses, differs in more than layout, and is the same outside evolve blocks."""
        try:
            kept = layout(child).outside == self.blocks.outside
        except EditError:
            return False
        return kept and parses(child) and normalized(child) != self._normalized

    @cached_property
    def _normalized(self) -> str:
        return normalized(self.code)

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        return cast(Mapping[cst.CSTNode, CodeRange], wrapper.resolve(PositionProvider))


class _Exchange(cst.CSTTransformer):
    def __init__(self, new: Mapping[cst.CSTNode, cst.CSTNode]) -> None:
        super().__init__()
        self._new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        # Below a node that is exchanged nothing is kept, and often most of the program lies there.
        return node not in self._new and type(node) not in LEAVES

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        return cast(cst.CSTNodeT, self._new.get(original_node, updated_node))
