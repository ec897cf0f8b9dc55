"""Edits of the text that describes a program's changes, in the same reply as those of the program."""

from collections.abc import Sequence

from openevolve.proposing.edits.errors import EditError
from openevolve.proposing.edits.search_replace import Block, apply_blocks


def edited_description(blocks: Sequence[Block], program: str, description: str) -> tuple[list[Block], str]:
    """The blocks that edit the program, and the description as the others leave it.

    A block belongs to the text that holds its SEARCH lines; to the program where neither does.

    Raises:
        EditError: both texts hold them, or the description stays as it is or ends up empty.
    """
    description = description.rstrip()
    of_description = [block for block in blocks if _holds(description, block)]
    for number, block in enumerate(blocks, start=1):
        if block in of_description and _holds(program, block):
            raise EditError(
                f"block {number} of {len(blocks)}: expected SEARCH lines of the program or the description"
                " of changes, found lines that both have: add the lines around the place that is meant"
            )
    changed = apply_blocks(of_description, description).strip()
    if not changed or changed == description.strip():
        raise EditError(
            "expected a block that brings the description of changes up to date, found "
            f"{'none' if changed else 'one that leaves it empty'}"
        )
    return [block for block in blocks if block not in of_description], changed


def _holds(text: str, block: Block) -> bool:
    """Whether the lines that a block looks for stand in a text, whatever white space ends them."""
    wanted = [line.rstrip() for line in block.search]
    lines = [line.rstrip() for line in text.split("\n")]
    return any(lines[i : i + len(wanted)] == wanted for i in range(len(lines))) if any(wanted) else False
