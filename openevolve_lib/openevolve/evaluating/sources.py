"""The source of a function, as a module that does without the one it was written in."""

import ast
import builtins
import inspect
from collections.abc import Callable
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any

from openevolve.errors import UserError

_PLAIN = (bool, int, float, str, bytes, tuple, list, dict, set, type(None))


def evaluator_source(function: Callable[..., Any], name: str) -> str:
    """A module that defines ``function`` under ``name``, with the modules, functions and values it uses.

    Raises UserError for one whose source is not at hand, or which uses what cannot be written down.
    """
    parts: dict[str, str] = {}
    own = _add(function, parts)
    parts["__name"] = "" if own == name else f"{name} = {own}\n"
    return "from __future__ import annotations\n\n" + "\n\n".join(filter(None, parts.values()))


def _add(function: Callable[..., Any], parts: dict[str, str]) -> str:
    """Add a function after all that it uses; the name it has there."""
    if not isinstance(function, FunctionType):
        raise UserError(
            f"evaluator: expected a function, found {type(function).__name__}; name a file instead"
        )
    own = function.__name__ if function.__name__.isidentifier() else "_lambda"
    if own in parts:
        return own
    parts[own] = ""  # it may use itself
    source = _source(function, own)
    used = inspect.getclosurevars(function)
    for name, value in {**used.globals, **used.nonlocals}.items():
        if name in parts or hasattr(builtins, name):
            continue
        if isinstance(value, ModuleType):
            parts[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            _add(value, parts)
        elif isinstance(value, _PLAIN):
            parts[name] = f"{name} = {value!r}"
        elif getattr(value, "__module__", None) and hasattr(value, "__qualname__"):
            parts[name] = f"from {value.__module__} import {value.__qualname__} as {name}"
        else:
            raise UserError(
                f"evaluator: expected a function that can be run elsewhere, found one that uses {name}, a "
                f"{type(value).__name__}; make it a part of the function, or name an evaluator file"
            )
    del parts[own]
    parts[own] = source
    return own


def _source(function: FunctionType, name: str) -> str:
    try:
        text = dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise UserError(
            f"evaluator: expected a function whose source is at hand, found {function.__qualname__}; "
            "name an evaluator file instead"
        ) from None
    if function.__name__ != "<lambda>":
        return text
    text = text[text.index("lambda") :]
    for end in range(len(text), 0, -1):  # the line goes on with what the lambda is an argument of
        try:
            if isinstance(ast.parse(text[:end].strip(), mode="eval").body, ast.Lambda):
                return f"{name} = {text[:end].strip()}\n"
        except SyntaxError:
            continue
    raise UserError("evaluator: expected a lambda that can be read, found none; use def instead")
