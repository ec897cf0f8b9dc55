"""The parts of a program that may change: the lines between EVOLVE-BLOCK-START and -END comments.

A program without these markers is one block from its first line to its last.
"""

import re
from dataclasses import dataclass

from openevolve.errors import UserError
from openevolve.population.fingerprints import parse
from openevolve.proposing.edits.errors import EditError
from openevolve.proposing.edits.source import defined_names

MARKER = re.compile(r"\s*+(?:#|//|--|;|%|/\*|<!--)++\s*+EVOLVE-BLOCK-(START|END)\b")


@dataclass(frozen=True)
class Layout:
    """A program cut at its markers: ``outside[0] inside[0] outside[1] ...``; markers stand outside."""

    outside: tuple[tuple[str, ...], ...]  # one more than inside
    inside: tuple[tuple[str, ...], ...]

    @property
    def has_markers(self) -> bool:
        return any(self.outside)

    @property
    def evolving_text(self) -> str:
        return "\n".join(line for block in self.inside for line in block)

    def filled(self, blocks: tuple[tuple[str, ...], ...]) -> str:
        """The program with other lines inside its blocks."""
        lines = list(self.outside[0])
        for block, outside in zip(blocks, self.outside[1:], strict=True):
            lines += [*block, *outside]
        return "\n".join(lines)


def layout(code: str) -> Layout:
    """Raises EditError where markers do not come in pairs, START first."""
    lines = code.split("\n")
    if not any(MARKER.match(line) for line in lines):
        return Layout(outside=((), ()), inside=(tuple(lines),))
    outside: list[list[str]] = [[]]
    inside: list[list[str]] = []
    for number, line in enumerate(lines, start=1):
        marker = MARKER.match(line)
        is_open = len(inside) == len(outside)
        if marker and is_open == (marker[1] == "START"):
            found = "START inside a block" if is_open else "END without START"
            raise EditError(f"expected EVOLVE-BLOCK markers in pairs, found {found} in line {number}")
        if marker and marker[1] == "END":
            outside.append([line])
        elif is_open:
            inside[-1].append(line)
        else:
            outside[-1].append(line)
            if marker:
                inside.append([])
    if len(inside) == len(outside):
        raise EditError("expected an EVOLVE-BLOCK-END for every EVOLVE-BLOCK-START, found none for the last")
    return Layout(tuple(map(tuple, outside)), tuple(map(tuple, inside)))


def check_evolve_blocks(code: str) -> None:
    """Raises UserError where the markers of an initial program are malformed."""
    try:
        layout(code)
    except EditError as error:
        raise UserError(f"initial program: {error}") from None


def place(program: str, parent: str, language: str) -> str:
    """The parent with ``program`` in its evolve blocks.

    A program with markers gives its blocks, and its text outside them is ignored. One without may stand
    for the whole file or for the content of the only block: it may repeat the text before and after
    the block word for word or leave it out, but not define anew what that text defines.

    Raises:
        EditError: the blocks are not as many as the parent's, or text outside is defined anew.
    """
    frame = layout(parent)
    lines = program.strip("\n").split("\n")
    if not frame.has_markers:
        return "\n".join(line for line in lines if not MARKER.match(line)) + "\n"
    given = layout(program)
    if len(given.inside) != len(frame.inside):
        raise EditError(
            f"expected the program's {len(frame.inside)} evolve blocks with their markers, "
            f"found {len(given.inside) if given.has_markers else 'no markers'}"
        )
    if given.has_markers:
        return frame.filled(given.inside)
    before = "\n".join(frame.outside[0][:-1]).strip()
    after = "\n".join(frame.outside[1][1:]).strip()
    content = program.strip().removeprefix(before).removesuffix(after).strip("\n")
    if language == "python":
        _check_defines_nothing_outside(content, f"{before}\n{after}")
    return frame.filled((tuple(content.split("\n")),))


def check_outside_kept(code: str, parent: str) -> None:
    """Raises EditError where a line outside the parent's evolve blocks changed."""
    expected, found = layout(parent).outside, layout(code).outside
    if expected == found:
        return
    was = [line for part in expected for line in part]
    now = [line for part in found for line in part]
    at = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    line = repr(was[at]) if at < len(was) else "nothing more"
    raise EditError(
        "only lines between EVOLVE-BLOCK-START and EVOLVE-BLOCK-END may change: "
        f"expected {line} outside the blocks, found {repr(now[at]) if at < len(now) else 'nothing'}"
    )


def _check_defines_nothing_outside(content: str, outside: str) -> None:
    try:
        anew = defined_names(parse(content)) & defined_names(parse(outside))
    except SyntaxError:  # blocks inside a function: neither text is a module of its own
        return
    if anew:
        raise EditError(
            f"expected {', '.join(sorted(anew))} as the program has it outside its evolve blocks, found it "
            "defined anew: repeat the text outside the blocks word for word or leave it out"
        )
