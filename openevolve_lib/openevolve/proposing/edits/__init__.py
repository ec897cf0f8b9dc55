"""From a model's reply to a program's text: SEARCH/REPLACE blocks or a whole program, checked.

The form is read off the reply, whichever was asked for. Nothing of the reply is imported or run.
"""

import difflib
import re
from dataclasses import dataclass, replace
from typing import Literal

from openevolve.population.fingerprints import normalized, parse
from openevolve.proposing.edits.descriptions import edited_description
from openevolve.proposing.edits.errors import EditError
from openevolve.proposing.edits.evolve_blocks import check_evolve_blocks, check_outside_kept, layout, place
from openevolve.proposing.edits.fences import FENCE, fenced_blocks
from openevolve.proposing.edits.full_rewrite import FIRST_LINE, find_program
from openevolve.proposing.edits.genome import Genome
from openevolve.proposing.edits.search_replace import OPENING, apply_blocks, search_replace_blocks
from openevolve.proposing.edits.source import defined_names, explain

__all__ = ["Edit", "EditError", "apply_block", "apply_reply", "check_evolve_blocks", "has_evolve_blocks"]

REASONING = re.compile(r"^[ \t]*+<(think|thinking)>.*?(?:</\1>|(?P<cut>\Z))", re.MULTILINE | re.DOTALL)
# Some chat templates put the opening tag into the prompt, so that the reply holds the closing one alone.
END_OF_REASONING = re.compile(r"^[ \t]*+</think(?:ing)?>[ \t]*+$", re.MULTILINE)
SUMMARY_WIDTH = 160  # characters


@dataclass(frozen=True)
class Edit:
    """A program made of a reply, fit to be evaluated."""

    code: str
    form: Literal["diff", "full rewrite", "block"]
    changes: str  # one line: how the reply introduces the edit, or what the lines say
    description: str = ""  # of what differs from the initial program, where one was asked for


def apply_reply(
    reply: str,
    parent: str,
    *,
    max_code_length: int,
    language: str = "python",
    description: str | None = None,
) -> Edit:
    """The child that a reply makes of its parent.

    The parent's text outside its evolve blocks is kept. Line ends become ``\\n``. ``max_code_length``
    is in characters. Programs in languages other than Python are compared and not parsed.
    With a ``description`` of the parent's changes, a block of the reply has to edit that as well.

    Raises:
        EditError: there is no program in the reply, an edit does not match, or the child is the
            parent again, too long, not Python or not UTF-8.
    """
    text = _without_reasoning(_unix(reply).lstrip("\ufeff"))
    if not text.strip():
        raise EditError("expected a program, found an empty reply")
    parent = _unix(parent)
    blocks = search_replace_blocks(text)
    if description is not None:
        blocks, description = edited_description(blocks, parent, description)
    if blocks:
        edit = Edit(apply_blocks(blocks, parent), "diff", _introduction(text), description or "")
    else:
        program, found = find_program(text, layout(parent).evolving_text, language)
        chosen = f"(one of {found} programs) " if found > 1 else ""
        code = place(_unix(program), parent, language)
        edit = Edit(code, "full rewrite", chosen + _introduction(text), description or "")
    return _checked(edit, parent, max_code_length, language)


def apply_block(reply: str, parent: Genome, key: str, *, max_code_length: int, language: str) -> Edit:
    """The child that a reply makes of one block of its parent; a reply with a whole program is that program.

    Raises EditError as ``apply_reply`` does.
    """
    text = _without_reasoning(_unix(reply).lstrip("\ufeff"))
    blocks = [block for block in fenced_blocks(text) if block.closed and block.text.strip()]
    if not blocks:
        raise EditError(f"expected the new block in a fenced code block, found {text.strip()[:80]!r}")
    content = blocks[-1].text
    if _defines_more(content, parent, key):
        return apply_reply(reply, parent.code, max_code_length=max_code_length, language=language)
    child = parent.with_block(key, content)
    edit = Edit(child.code, "block", _introduction(text))
    return _checked(edit, parent.code, max_code_length, language)


def _defines_more(content: str, parent: Genome, key: str) -> bool:
    """Whether a text defines what other blocks of the parent define."""
    try:
        own = defined_names(parse(content))
        others = [text for name, text in parent.blocks.items() if name != key]
        return any(own & defined_names(parse(text)) for text in others)
    except SyntaxError:
        return False


def _checked(edit: Edit, parent: str, max_code_length: int, language: str) -> Edit:
    check_outside_kept(edit.code, parent)
    _check(edit.code, parent, max_code_length, language)
    return edit if edit.changes else replace(edit, changes=_changed_lines(parent, edit.code))


def has_evolve_blocks(code: str) -> bool:
    """Raises EditError where markers are malformed."""
    return layout(code).has_markers


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _without_reasoning(text: str) -> str:
    if any(reasoning["cut"] is not None for reasoning in REASONING.finditer(text)):
        raise EditError("the reply ends within its reasoning: think more briefly, or raise llm.max_tokens")
    return END_OF_REASONING.split(REASONING.sub("", text))[-1]


def _check(code: str, parent: str, max_code_length: int, language: str) -> None:
    if len(code) > max_code_length:
        raise EditError(f"expected a program of at most {max_code_length} characters, found {len(code)}")
    try:
        code.encode("utf-8")
    except UnicodeEncodeError as error:
        where = f"line {code.count(chr(10), 0, error.start) + 1}"
        raise EditError(
            f"expected text that UTF-8 can hold, found {code[error.start]!r} in {where}"
        ) from None
    if language == "python":
        try:
            parse(code)
        except SyntaxError as error:
            raise EditError(f"expected a program that parses, found an error: {explain(error)}") from None
    if normalized(code, language) == normalized(parent, language):
        alike = (
            "comments, docstrings and layout" if language == "python" else "white space at the ends of lines"
        )
        raise EditError(f"expected a change of the program, found the parent again ({alike} do not count)")


def _introduction(text: str) -> str:
    """The first line before the code that is more than a heading, without Markdown's emphasis."""
    for line in text.split("\n"):
        if any(code.match(line) for code in (FENCE, OPENING, FIRST_LINE)):
            break
        words = re.sub(r"^[#>*\-\s]+|[*`]", "", line).split()
        if len(words) > 3:
            return _one_line(" ".join(words))
    return ""


def _changed_lines(parent: str, code: str) -> str:
    diff = list(difflib.unified_diff(parent.split("\n"), code.split("\n"), n=0, lineterm=""))[2:]
    added = [line[1:].strip() for line in diff if line.startswith("+")]
    removed = [line[1:].strip() for line in diff if line.startswith("-")]
    first = next(filter(None, added + removed), "")
    return _one_line(f"+{len(added)} -{len(removed)} lines: {first}")


def _one_line(text: str) -> str:
    printable = "".join(c for c in text if c.isprintable())
    return printable if len(printable) <= SUMMARY_WIDTH else printable[: SUMMARY_WIDTH - 3] + "..."
