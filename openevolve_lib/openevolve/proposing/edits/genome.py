"""A program as a row of blocks, each of which may be rewritten by itself.

Where the evolving text holds lines ``# --OPTION--``, these are the borders of its blocks. A Python program
without them is cut at its top-level classes and functions. What stands before the first mark, or the first
of these, is no block: as in Guided Evolution (arXiv 2403.11446), imports are never changed.
A program in another language, or one that does not parse, is one block.
"""

import ast
import re
from dataclasses import dataclass, replace

from openevolve.population.fingerprints import parse
from openevolve.proposing.edits.evolve_blocks import layout

OPTION = re.compile(r"^[ \t]*(?:#|//|--|;|%)+[ \t]*--OPTION--[ \t]*$")
_NAME = re.compile(r"^\s*(?:class|def|async def|func|function|fn|struct)\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Genome:
    """``pieces`` are runs of lines that make up the program; those with a key are its blocks."""

    pieces: tuple[str, ...]
    keys: tuple[str | None, ...]

    @property
    def blocks(self) -> dict[str, str]:
        """The texts of the blocks by their keys, in order."""
        return {k: text for k, text in zip(self.keys, self.pieces, strict=True) if k is not None}

    @property
    def code(self) -> str:
        return "\n".join(self.pieces)

    def with_block(self, key: str, text: str) -> "Genome":
        """The program with another text in the place of a block; marks in it are left out."""
        lines = [line for line in text.strip("\n").split("\n") if not OPTION.match(line)]
        old = self.blocks[key]
        rest = old.lstrip("\n")
        before, after = old[: len(old) - len(rest)], rest[len(rest.rstrip("\n")) :]
        at = self.keys.index(key)
        whole = before + "\n".join(lines) + after
        return replace(self, pieces=(*self.pieces[:at], whole, *self.pieces[at + 1 :]))


def genome(code: str, language: str = "python") -> Genome:
    """Raises EditError where EVOLVE-BLOCK markers are malformed."""
    frame = layout(code)
    marked = any(OPTION.match(line) for block in frame.inside for line in block)
    pieces: list[str] = []
    keys: list[str | None] = []
    for outside, inside in zip(frame.outside, (*frame.inside, None), strict=True):
        if outside:
            pieces.append("\n".join(outside))
            keys.append(None)
        if inside is None:
            continue
        lines = list(inside)
        for is_block, part in _marked(lines) if marked else _definitions(lines, language):
            if part:
                pieces.append("\n".join(part))
                keys.append(f"block {len(keys)}" if is_block else None)
    if not any(keys):
        return Genome((code,), ("block 0",))
    return Genome(tuple(pieces), tuple(keys) if marked else _named(pieces, keys))


def _marked(lines: list[str]) -> list[tuple[bool, list[str]]]:
    """Cut at the marks, each of which is a piece of its own."""
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    for line in lines:
        if OPTION.match(line):
            parts += [(False, [line]), (True, [])]
        else:
            parts[-1][1].append(line)
    return [(is_block and any(map(str.strip, part)), part) for is_block, part in parts]


def _definitions(lines: list[str], language: str) -> list[tuple[bool, list[str]]]:
    """Cut before each top-level class and function, its decorators included."""
    try:
        tree = parse("\n".join(lines)) if language == "python" else None
    except SyntaxError:
        tree = None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for node in tree.body if isinstance(node, kinds)] if tree else []
    if not found:
        return [(True, lines)]
    starts = [min(d.lineno for d in (node, *node.decorator_list)) - 1 for node in found]
    ends = [*starts[1:], len(lines)]
    return [(False, lines[: starts[0]]), *((True, lines[a:b]) for a, b in zip(starts, ends, strict=True))]


def _named(pieces: list[str], keys: list[str | None]) -> tuple[str | None, ...]:
    """Blocks by the names that they define, so that those of two programs can be told to be the same."""
    names: list[str | None] = []
    for piece, key in zip(pieces, keys, strict=True):
        match = _NAME.search(piece)
        name = match[1] if match else key
        names.append(None if key is None else key if name in names else name)
    return tuple(names)
