"""Fenced code blocks of a Markdown text."""

import re
import textwrap
from dataclasses import dataclass

from openevolve.proposing.edits.errors import EditError
from openevolve.proposing.edits.source import parses

# Possessive quantifiers keep the patterns linear in the length of the text.
_FENCE = r"^[ \t]*+(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<tag>[^\s`]*+)[^`\n]*+$"
_STRING_OR_COMMENT = (
    r'"""(?:[^"\\]|\\.?|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^'\\]|\\.?|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*+(?:"|$)'
    r"|'(?:[^'\\\n]|\\.)*+(?:'|$)"
    r"|#[^\n]*+"
)
MAX_BLOCKS = 100  # each is read twice at most: the time for a reply of any sort stays bounded
FENCE = re.compile(_FENCE, re.MULTILINE)
FENCE_OUTSIDE_STRINGS = re.compile(f"{_STRING_OR_COMMENT}|{_FENCE}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fenced:
    """The text of one block."""

    tag: str  # lower case: "python", "json" or ""
    text: str
    closed: bool


def fenced_blocks(text: str) -> list[Fenced]:
    """The blocks in order. One that is never closed reaches to the end of the text.

    Raises:
        EditError: there are more than ``MAX_BLOCKS``.
    """
    blocks: list[Fenced] = []
    position = 0
    while opening := FENCE.search(text, position):
        if len(blocks) == MAX_BLOCKS:
            raise EditError(f"expected one code block, found more than {MAX_BLOCKS}")
        closing = _closing(text, opening)
        position = closing.end() if closing else len(text)
        content = _content(text, opening, closing)
        if closing or content.strip():  # a last fence with nothing behind it opens no block
            blocks.append(Fenced(opening["tag"].lower(), content, closing is not None))
    return blocks


def _closing(text: str, opening: re.Match[str]) -> re.Match[str] | None:
    """Markdown's closing fence or, where that one stands in a docstring, the first outside strings."""
    plain = _first_closing(FENCE, text, opening)
    if plain is None or parses(_content(text, opening, plain)):
        return plain
    outside = _first_closing(FENCE_OUTSIDE_STRINGS, text, opening)
    return outside if outside and parses(_content(text, opening, outside)) else plain


def _first_closing(pattern: re.Pattern[str], text: str, opening: re.Match[str]) -> re.Match[str] | None:
    fences = (match for match in pattern.finditer(text, opening.end()) if match["mark"])
    return next((fence for fence in fences if _closes(opening, fence)), None)


def _closes(opening: re.Match[str], fence: re.Match[str]) -> bool:
    return fence[0].strip() == fence["mark"] and fence["mark"].startswith(opening["mark"])


def _content(text: str, opening: re.Match[str], closing: re.Match[str] | None) -> str:
    content = text[opening.end() + 1 : closing.start() if closing else len(text)]
    return textwrap.dedent(content) if content[:1].isspace() else content  # as in a list item
