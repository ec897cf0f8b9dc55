"""When two programs are the same: by what their text means, not by how it looks."""

import ast
import functools
import hashlib
import warnings


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
