"""What a Python program is, defines and reads, by its syntax tree: nothing of it is imported or run."""

import ast
import builtins
from collections.abc import Iterator

from openevolve.population.fingerprints import parse


def parses(code: str) -> bool:
    try:
        parse(code)
    except SyntaxError:
        return False
    return True


def explain(error: SyntaxError) -> str:
    """A syntax error in one line: where, what, and the text of that line."""
    where = f"line {error.lineno}: " if error.lineno else ""
    text = f": {error.text.strip()[:120]}" if error.text and error.text.strip() else ""
    return f"{where}{error.msg}{text}"


def defined_names(tree: ast.Module) -> set[str]:
    """The public names that functions, classes and assignments at the top level define."""
    names: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(statement.name)
            case ast.Assign():
                names.update(n.id for target in statement.targets for n in _stored(target))
            case ast.AnnAssign(value=ast.expr()):
                names.update(n.id for n in _stored(statement.target))
    return {name for name in names if not name.startswith("_")}


def interface(tree: ast.Module) -> set[str]:
    """The names that a program defines for others: no function or class of its own reads them.

    ``{"create_model"}`` for a program with ``class Net`` and a ``create_model`` that returns one.
    Where everything is read by something, all defined names.
    """
    used: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            used |= _read(statement) - {statement.name}
    defined = defined_names(tree)
    return defined - used or defined


def unbound_names(tree: ast.Module) -> set[str]:
    """The names that a program reads although nothing in it, in whatever scope, binds them."""
    bound = {"__file__", "__class__", *dir(builtins)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Store()):
                bound.add(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.arg():
                bound.add(node.arg)
            case ast.alias(name="*"):
                return set()
            case ast.alias():
                bound.add(node.asname or node.name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
    return _read(tree) - bound


def _read(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _stored(target: ast.expr) -> Iterator[ast.Name]:
    return (n for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
