"""The whole program that a reply holds: one of its fenced blocks, or code without any fence.

A block can be the program if it parses and defines a name of the parent's interface; a block that only
uses the program does not define it. Among several the best is one that is not the parent, then the one
that defines most of that interface, then one that binds every name it reads, then the last: in replies
that correct themselves the later program is the better one. Two programs are never joined.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from openevolve.population.fingerprints import normalized, parse
from openevolve.proposing.edits.errors import EditError
from openevolve.proposing.edits.fences import Fenced, fenced_blocks
from openevolve.proposing.edits.source import defined_names, explain, interface, unbound_names

FIRST_LINE = re.compile(
    r'^(?:import \w|from \S++ import |(?:async )?def \w|class \w++[(:]|@\w|"""|\'\'\')', re.M
)
UNIFIED_DIFF = re.compile(r"^@@ .*@@", re.MULTILINE)
CUT_OFF = "the reply ends inside a code block: it was cut off; answer more briefly, or raise llm.max_tokens"
MAX_CUTS = 100  # prose lines after code without fences; each costs one more parse


@dataclass(frozen=True)
class Candidate:
    """A text of the reply that may be the program."""

    code: str
    tree: ast.Module


def find_program(text: str, parent: str, language: str) -> tuple[str, int]:
    """The program in a reply, and how many it was chosen from; ``parent`` is the part that evolves.

    Raises:
        EditError: there is none; the message says what there is instead.
    """
    blocks = fenced_blocks(text)
    if language != "python":
        return _tagged_program(blocks, language)
    closed = [block.text for block in blocks if block.closed]
    code = [block.text for block in blocks if block.closed and block.tag != "json"]  # it may be valid Python
    texts = [piece for piece in (code if blocks else _unfenced(text)) if piece.strip()]
    wanted = _interface_of(parent)
    parsed = [Candidate(code, tree) for code in texts if (tree := _tree(code)) and tree.body]
    candidates = [c for c in parsed if not wanted or defined_names(c.tree) & wanted]
    if candidates:
        return _best(candidates, parsed, parent, wanted), len(candidates)
    if len(closed) < len(blocks):
        raise EditError(CUT_OFF)
    raise EditError(_why_none(text, texts, wanted))


def _best(candidates: Sequence[Candidate], parsed: Sequence[Candidate], parent: str, wanted: set[str]) -> str:
    def rank(item: tuple[int, Candidate]) -> tuple[bool, int, bool, int]:
        position, candidate = item
        return (
            normalized(candidate.code) != normalized(parent),  # replies quote the program they improve
            len(defined_names(candidate.tree) & wanted),
            not unbound_names(candidate.tree),
            position,
        )

    _, best = max(enumerate(candidates), key=rank)
    elsewhere = {name for other in parsed if other is not best for name in defined_names(other.tree)}
    if scattered := sorted(unbound_names(best.tree) & elsewhere):
        raise EditError(
            "expected the whole program in one code block, found it spread over several: the block with "
            f"{', '.join(sorted(defined_names(best.tree) & wanted))} lacks {', '.join(scattered)}"
        )
    return best.code


def _tagged_program(blocks: Sequence[Fenced], language: str) -> tuple[str, int]:
    """For languages that are not parsed: the last block with the language's tag, else the last without."""
    closed = [block for block in blocks if block.closed]
    for tag in (language.lower(), ""):
        if tagged := [block.text for block in closed if block.tag == tag and block.text.strip()]:
            return tagged[-1], len(tagged)
    if len(closed) < len(blocks):
        raise EditError(CUT_OFF)
    raise EditError(f"expected one fenced block of {language}, found {len(blocks)} blocks, none of it")


def _interface_of(parent: str) -> set[str]:
    try:
        return interface(parse(parent))
    except SyntaxError:  # an evolve block inside a function
        return set()


def _tree(code: str) -> ast.Module | None:
    try:
        return parse(code)
    except SyntaxError:
        return None


def _unfenced(text: str) -> list[str]:
    """The code of a reply without fences, without the prose around it."""
    opening = FIRST_LINE.search(text)
    return [_without_closing_prose(text[opening.start() :])] if opening else []


def _without_closing_prose(text: str) -> str:
    """Code up to the prose after it, or the whole text where what does not parse is not prose.

    Prose starts at the margin; an error in an indented line or a definition is the program's own.
    """
    lines = text.split("\n")
    for _ in range(MAX_CUTS):
        try:
            tree = parse("\n".join(lines))
        except SyntaxError as error:
            at = (error.lineno or 1) - 1
            if at == 0 or at >= len(lines) or lines[at][:1].isspace() or FIRST_LINE.match(lines[at]):
                return text
            del lines[at:]
        else:
            code = [statement for statement in tree.body if not _is_word(statement)]
            return "\n".join(lines[: code[-1].end_lineno if code else 0]) + "\n"
    return text


def _is_word(statement: ast.stmt) -> bool:
    """A heading such as ``Notes``, which is an expression to Python."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name | ast.Tuple)


def _why_none(text: str, texts: Sequence[str], wanted: set[str]) -> str:
    if UNIFIED_DIFF.search(text):
        return "expected SEARCH/REPLACE blocks or the whole program, found a unified diff"
    if not texts:
        prose = " ".join(text.split())[:120]
        return f"expected a program in a fenced code block, found text without code: {prose!r}"
    longest = max(texts, key=len)
    try:
        found = ", ".join(sorted(defined_names(parse(longest)))) or "nothing"
    except SyntaxError as error:
        return f"expected a program in a fenced code block that parses, found an error: {explain(error)}"
    names = " or ".join(sorted(wanted)) or "something"
    return f"expected a program that defines {names}, found code that defines {found}"
