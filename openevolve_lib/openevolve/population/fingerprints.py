"""When two programs are the same: by what their text means, not by how it looks."""

import ast
import functools
import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType


def parse(code: str) -> ast.Module:
    """The syntax tree of a module that compiles.

    Raises:
        SyntaxError: whatever keeps the text from being a Python module, deep nesting included.
    """
    with _faults_of_the_text():
        tree = ast.parse(code)
        _compiled(tree)
    return tree


@contextmanager
def _faults_of_the_text() -> Iterator[None]:
    """Whatever is wrong with a program's text is a SyntaxError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SyntaxWarning: an odd escape is no fault of the program
        try:
            yield
        except (RecursionError, MemoryError):
            raise SyntaxError("the program is nested too deeply") from None
        except (ValueError, OverflowError) as error:  # null bytes, lone surrogates, numbers too long
            raise SyntaxError(str(error)) from None


def _compiled(tree: ast.Module) -> CodeType:
    code: CodeType = compile(tree, "<program>", "exec", dont_inherit=True, optimize=0)
    return code


@functools.lru_cache(maxsize=256)  # a program is asked about when it is read, proposed and evaluated
def normalized(code: str, language: str = "python") -> str:
    """A hash that layout, comments and docstrings of Python leave alone: equal hashes, the same program.

    A program in another language, or one that does not parse, counts by its text: only white space at
    the ends of its lines, and empty lines at its end, make no difference.
    """
    if language == "python":
        try:
            return _fingerprint(code)
        except SyntaxError:
            pass
    text = "\n".join(line.rstrip() for line in code.rstrip().split("\n"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(code: str) -> str:
    """A hash of the byte code without its positions. Raises SyntaxError."""
    with _faults_of_the_text():
        tree = ast.parse(code)
        _remove_remarks(tree)
        pending, digest = [_compiled(tree)], hashlib.sha256()
        while pending:
            part = pending.pop()
            digest.update(part.co_code + part.co_exceptiontable)
            digest.update("\0".join(map(str, _facts(part))).encode("utf-8", "surrogatepass"))
            pending += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
    return digest.hexdigest()


def _facts(code: CodeType) -> Iterator[object]:
    yield from (
        code.co_name,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
    )
    for names in (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars):
        yield len(names)
        yield from names
    yield from ("" if isinstance(constant, CodeType) else _repr(constant) for constant in code.co_consts)


def _repr(constant: object) -> str:
    if isinstance(constant, frozenset):  # ``x in {"a", "b"}``; its order is another in every process
        return f"{{{', '.join(sorted(map(_repr, constant)))}}}"
    if isinstance(constant, tuple):
        return f"({', '.join(map(_repr, constant))},)"
    return repr(constant)


def _remove_remarks(tree: ast.Module) -> None:
    """Take out docstrings, other strings that stand alone as statements, and the lines of classes.

    From Python 3.13 on a class knows its first line.
    """
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ClassDef):
            node.lineno = 1
            for decorator in node.decorator_list:
                decorator.lineno = 1
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            block = getattr(node, name, None)
            if isinstance(block, list):  # a conditional expression has a body and an orelse too
                kept = [statement for statement in block if not _is_remark(statement)]
                if len(kept) < len(block):
                    block[:] = kept or ([ast.Pass(lineno=1, col_offset=0)] if name == "body" else [])
                pending += kept


def _is_remark(node: object) -> bool:
    """A docstring, or another string that stands alone as a statement."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
