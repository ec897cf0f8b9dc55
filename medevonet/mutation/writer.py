"""Writing an edited network back into its program."""

import re
from collections.abc import Collection, Sequence

import libcst as cst

from openevolve.proposing.edits.evolve_blocks import MARKER
from openevolve.proposing.offline import Source

from .helpers import HELPERS, defined_helpers
from .layers import Residual, SqueezeExcitation
from .network import Network, every_layer
from .reader import Located

BLANK = cst.EmptyLine(indent=False)
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


def writable(source: Source, located: Located, child: Network) -> bool:
    """Whether the program has the helper classes that ``child`` needs, or room for them and free names."""
    missing = _needed(child) - defined_helpers(source.tree.body)
    taken = any(_mentions(name, source.code) for name in missing)
    return not missing or (source.editable(located.owner) and not taken)


def write(source: Source, located: Located, child: Network) -> str:
    """The program with ``child`` in place of ``located.network``.

    Only chains that changed are printed anew. Helper classes come in when first needed, right before the
    class of the network, and go when nothing mentions them any more. ``child`` has to be ``writable``.
    """
    changed: dict[cst.CSTNode, cst.CSTNode] = {
        located.expressions[chain.attribute]: cst.parse_expression(new)
        for chain, old, new in zip(child.chains, located.network.render(), child.render(), strict=True)
        if old != new
    }
    body = list(source.replace(changed).body)
    defined = defined_helpers(source.tree.body)
    missing = [name for name in HELPERS if name in _needed(child) - defined]
    position = source.module.body.index(located.owner)
    body[position : position + 1] = _with_helpers(body[position], missing)
    code = source.module.with_changes(body=body).code
    unused = {name for name in defined if _mentions(name, code) == 1}
    return source.module.with_changes(body=_without(body, unused)).code if unused else code


def _needed(network: Network) -> set[str]:
    layers = every_layer(network.layers)
    return {type(layer).__name__ for layer in layers if isinstance(layer, Residual | SqueezeExcitation)}


def _mentions(name: str, code: str) -> int:
    return len(re.findall(rf"\b{name}\b", code))


def _with_helpers(owner: Statement, names: Sequence[str]) -> list[Statement]:
    """``owner`` after the helper classes; an evolve block that starts right above it starts above them."""
    if not names or not isinstance(owner, cst.ClassDef):
        return [owner]
    above = owner.leading_lines
    marks = [index for index, line in enumerate(above, start=1) if _starts_block(line)]
    cut = marks[-1] if marks else 0
    statements: list[Statement] = []
    for name in names:
        helper = cst.ensure_type(cst.parse_statement(HELPERS[name]), cst.ClassDef)
        statements.append(helper.with_changes(leading_lines=[BLANK, BLANK]))
    if marks:
        statements[0] = statements[0].with_changes(leading_lines=above[:cut])
        above = [BLANK, BLANK, *above[cut:]]
    return [*statements, owner.with_changes(leading_lines=above)]


def _starts_block(line: cst.EmptyLine) -> bool:
    marker = MARKER.match(line.comment.value) if line.comment else None
    return marker is not None and marker[1] == "START"


def _without(body: Sequence[Statement], names: Collection[str]) -> list[Statement]:
    """``body`` less the classes of these names; one with a comment above stays, as it may be a marker."""
    return [
        statement
        for statement in body
        if not (
            isinstance(statement, cst.ClassDef)
            and statement.name.value in names
            and not any(line.comment for line in statement.leading_lines)
        )
    ]
