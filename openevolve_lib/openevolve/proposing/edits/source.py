"""What a Python program is, defines and reads, by its syntax tree: nothing of it is imported or run."""

import ast
import builtins
import functools
import hashlib
import warnings
from collections.abc import Iterator


def parse(code: str) -> ast.Module:
    """The syntax tree of a module that compiles.

    Raises:
        SyntaxError: whatever keeps the text from being a Python module, deep nesting included.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SyntaxWarning: an odd escape is no fault of the program
        try:
            tree = ast.parse(code)
            compile(tree, "<program>", "exec", dont_inherit=True)
        except (RecursionError, MemoryError):
            raise SyntaxError("the program is nested too deeply") from None
        except (ValueError, OverflowError) as error:  # null bytes, lone surrogates, numbers too long
            raise SyntaxError(str(error)) from None
    return tree


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


@functools.lru_cache(maxsize=256)  # a program is asked about when it is read, proposed and evaluated
def normalized(code: str, language: str = "python") -> str:
    """A hash that layout, comments and docstrings of Python leave alone: equal hashes, the same program.

    A program in another language, or one that does not parse, counts by its text: only white space at
    the ends of its lines, and empty lines at its end, make no difference.
    """
    if language == "python":
        try:
            return hashlib.sha256(_serialized(parse(code))).hexdigest()
        except SyntaxError:
            pass
    text = "\n".join(line.rstrip() for line in code.rstrip().split("\n"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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


def _serialized(tree: ast.Module) -> bytes:
    """The tree as bytes, without positions; a loop, since ``ast.dump`` may exceed the recursion limit."""
    parts: list[str] = []
    pending: list[object] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.AST):
            fields = [value for name, value in ast.iter_fields(node) if name != "kind"]  # u"" is ""
            parts.append(f"{type(node).__name__}({len(fields)}")
            pending.extend(reversed(fields))
        elif isinstance(node, list):
            items = [item for item in node if not _is_remark(item)]
            parts.append(f"[{len(items)}")
            pending.extend(reversed(items))
        else:
            parts.append(repr(node))
    return "\n".join(parts).encode("utf-8")


def _is_remark(node: object) -> bool:
    """A docstring, or another string that stands alone as a statement."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
