"""Edits as SEARCH/REPLACE blocks: found in the program line by line, applied all or not at all."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openevolve.proposing.edits.errors import EditError

OPENING = re.compile(r"[ \t]*+<{5,}+[ \t]*+SEARCH\b", re.IGNORECASE)
DIVIDER = re.compile(r"[ \t]*+={5,}+[ \t]*+$")
CLOSING = re.compile(r"[ \t]*+>{5,}+[ \t]*+REPLACE\b", re.IGNORECASE)
QUOTED_WIDTH = 200  # characters of a line that errors quote and that closeness is judged by


@dataclass(frozen=True)
class Block:
    """Lines to find, and the lines that take their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where in a program a block matches, and the replacement as it is indented there."""

    start: int
    stop: int
    replace: tuple[str, ...]


def search_replace_blocks(text: str) -> list[Block]:
    """The blocks of a reply, in order; fences around them do not matter.

    Raises:
        EditError: a block lacks its ``=======`` or ``>>>>>>> REPLACE`` line.
    """
    blocks: list[Block] = []
    search: list[str] | None = None
    replace: list[str] | None = None
    for line in text.split("\n"):
        if OPENING.match(line):
            if search is not None:
                raise EditError(f"block {len(blocks) + 1}: expected >>>>>>> REPLACE, found another SEARCH")
            search = []
        elif search is None:
            continue
        elif CLOSING.match(line):
            if replace is None:
                raise EditError(f"block {len(blocks) + 1}: expected a ======= line before >>>>>>> REPLACE")
            blocks.append(Block(tuple(search), tuple(replace)))
            search = replace = None
        elif replace is not None:
            replace.append(line)
        elif DIVIDER.match(line):
            replace = []
        else:
            search.append(line)
    if search is not None:
        raise EditError(
            f"block {len(blocks) + 1}: expected >>>>>>> REPLACE, found the end of the reply: it was cut off; "
            "answer more briefly, or raise llm.max_tokens"
        )
    return blocks


def apply_blocks(blocks: Sequence[Block], program: str) -> str:
    """The program with every block applied, each to the result of those before it.

    Raises:
        EditError: some block matches nowhere or, in the most exact way it matches, in several places.
    """
    original = program.split("\n")
    lines = list(original)
    for number, block in enumerate(blocks, start=1):
        places = _places(block, lines)
        if len(places) != 1:
            problem = _problem(block, places, original)
            raise EditError(f"block {number} of {len(blocks)}: {problem} No block was applied.")
        lines[places[0].start : places[0].stop] = places[0].replace
    return "\n".join(lines)


def _places(block: Block, lines: list[str]) -> list[Place]:
    """All places at which the block matches in the most exact reading that matches at all."""
    if not _trimmed(block.search):
        return []
    return next((places for reading in READINGS if (places := reading(block, lines))), [])


def _problem(block: Block, places: list[Place], program: list[str]) -> str:
    """Why a block cannot be applied, in terms of the program that the model was shown."""
    search = _trimmed(block.search)
    if not search:
        return "expected the lines to replace under SEARCH, found none."
    if places:
        numbers = ", ".join(str(place.start + 1) for place in places[:5])
        return (
            f"expected SEARCH text that occurs once, found it {len(places)} times, from lines {numbers}: "
            "add the lines around the place that is meant."
        )
    return (
        f"the SEARCH text was not found; its first line is `{search[0].strip()[:QUOTED_WIDTH]}`; "
        f"{_closest(search, program)} Copy the lines to replace exactly as the program has them."
    )


def _exact(block: Block, lines: list[str]) -> list[Place]:
    size = len(block.search)
    return [Place(i, i + size, block.replace) for i in _runs(list(block.search), lines)]


def _trailing_space_ignored(block: Block, lines: list[str]) -> list[Place]:
    search = [line.rstrip() for line in _trimmed(block.search)]
    starts = _runs(search, [line.rstrip() for line in lines])
    return [Place(i, i + len(search), _trimmed(block.replace)) for i in starts]


def _indentation_shifted(block: Block, lines: list[str]) -> list[Place]:
    """Matches in which every line is indented by the same more, or less, than in SEARCH."""
    search = _trimmed(block.search)
    places = []
    for i in _runs([line.strip() for line in search], [line.strip() for line in lines]):
        window = lines[i : i + len(search)]
        drop, add = _shift(search[0], window[0])
        replace = _reindented(_trimmed(block.replace), drop, add)
        if replace is not None and _reindented(search, drop, add) == tuple(w.rstrip() for w in window):
            places.append(Place(i, i + len(search), replace))
    return places


READINGS: tuple[Callable[[Block, list[str]], list[Place]], ...] = (
    _exact,
    _trailing_space_ignored,
    _indentation_shifted,
)


def _runs(wanted: list[str], lines: list[str]) -> list[int]:
    """The places at which the wanted lines follow each other."""
    starts = [i for i, line in enumerate(lines) if line == wanted[0]]
    return [i for i in starts if lines[i : i + len(wanted)] == wanted]


def _trimmed(lines: Sequence[str]) -> tuple[str, ...]:
    """Without the blank lines at both ends."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return tuple(lines[filled[0] : filled[-1] + 1]) if filled else ()


def _shift(found: str, wanted: str) -> tuple[str, str]:
    """What to drop from the front of ``found`` and what to add to indent it as ``wanted`` is."""
    inner, outer = (line[: len(line) - len(line.lstrip())] for line in (found, wanted))
    if outer.endswith(inner):
        return "", outer[: len(outer) - len(inner)]
    if inner.endswith(outer):
        return inner[: len(inner) - len(outer)], ""
    return inner, outer


def _reindented(lines: Sequence[str], drop: str, add: str) -> tuple[str, ...] | None:
    """None where a line cannot be shifted so far to the left."""
    if not all(line.startswith(drop) for line in lines if line.strip()):
        return None
    return tuple((add + line.removeprefix(drop)).rstrip() if line.strip() else "" for line in lines)


def _is_blank(line: str) -> bool:
    return not line.strip()


def _closest(search: Sequence[str], lines: list[str]) -> str:
    """Where the program comes nearest to the SEARCH text, with the lines it has there."""
    wanted = [line.strip()[:QUOTED_WIDTH] for line in search]
    present = [line.strip()[:QUOTED_WIDTH] for line in lines]
    run = difflib.SequenceMatcher(_is_blank, wanted, present, autojunk=False).find_longest_match()
    start = run.b - run.a
    if not run.size:
        similar = difflib.get_close_matches(wanted[0], present, n=1)
        if not similar:
            return "no line of the program is like it."
        start = present.index(similar[0])
    first, last = max(start, 0), min(start + len(wanted), len(lines))
    quoted = "\n".join(line[:QUOTED_WIDTH] for line in lines[first:last])
    return f"the closest place in the program is lines {first + 1}-{last}:\n{quoted}\n"
