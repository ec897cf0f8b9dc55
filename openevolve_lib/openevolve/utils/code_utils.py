"""Edits of programs, under the names and in the place that OpenEvolve's users know."""

from typing import TYPE_CHECKING

from openevolve.instead import absent_names
from openevolve.proposing.edits import EditError
from openevolve.proposing.edits.evolve_blocks import layout
from openevolve.proposing.edits.full_rewrite import find_program
from openevolve.proposing.edits.search_replace import apply_blocks, search_replace_blocks


def parse_evolve_blocks(code: str) -> list[tuple[int, int, str]]:
    """Each evolve block: the lines of its two markers, from 0, and the text between them.

    Raises EditError where the markers do not come in pairs.
    """
    found, start = [], -1
    parts = layout(code)
    for before, block in zip(parts.outside, parts.inside, strict=False):
        start += len(before)
        if before:  # else the program has no markers
            found.append((start, start + len(block) + 1, "\n".join(block)))
        start += len(block)
    return found


def extract_diffs(diff_text: str) -> list[tuple[str, str]]:
    """What each SEARCH/REPLACE block of a reply looks for, and what it puts there. Raises EditError."""
    return [("\n".join(block.search), "\n".join(block.replace)) for block in search_replace_blocks(diff_text)]


def apply_diff(original_code: str, diff_text: str) -> str:
    """The program with every block applied. Raises EditError where one matches nowhere or twice."""
    return apply_blocks(search_replace_blocks(diff_text), original_code)


def parse_full_rewrite(llm_response: str, language: str = "python") -> str | None:
    """The program that a reply holds; None where it holds none."""
    try:
        return find_program(llm_response, "", language)[0]
    except EditError:
        return None


if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
