"""Strategies by name: the engine's own, those of other packages, and any ``module:Class``.

A strategy is a class marked with ``@strategy(kind, name)``. The engine's own are found in the room of their
kind, so that a new file is all that a new strategy takes. Another package offers its own as entry points of
the group ``openevolve.strategies``; ``module:Class`` needs no package at all.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeVar

from openevolve.errors import UserError
from openevolve.settings.files import check
from openevolve.settings.models import Config, Section

GROUP = "openevolve.strategies"

ROOMS = {
    "proposer": "openevolve.proposing",
    "parents": "openevolve.search",
    "gate": "openevolve.proposing.gates",
    "reflection": "openevolve.reflection",
    "allocation": "openevolve.measuring",
    "executor": "openevolve.evaluating",
    "population": "openevolve.population",
}

Class = TypeVar("Class", bound=type)


class NoSettings(Section):
    """Of a strategy that has none of its own."""


def strategy(kind: str, name: str) -> Callable[[Class], Class]:
    """Mark a class as the strategy ``name`` of a kind; ``Settings`` in it is its pydantic model."""

    def mark(cls: Class) -> Class:
        cls.strategy_kind, cls.strategy_name = kind, name  # type: ignore[attr-defined]
        return cls

    return mark


def find(kind: str, name: str) -> type[Any]:
    """The class of a strategy. Raises UserError, which names the nearest known one."""
    if ":" in name:
        return _imported(kind, name)
    for cls in _built_in(kind):
        if cls.strategy_name == name:
            return cls
    for point in entry_points(group=GROUP, name=name):
        cls = _imported(kind, point.value)
        if getattr(cls, "strategy_kind", kind) == kind:
            return cls
    known = names(kind)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    raise UserError(
        f"{kind}: expected one of {', '.join(known)}, or module:Class, found {name!r}"
        + (f"; the nearest known one is {near[0]}" if near else "")
    )


def names(kind: str) -> list[str]:
    """The known strategies of a kind, those of other packages included."""
    own = [cls.strategy_name for cls in _built_in(kind)]
    others = [
        point.name
        for point in entry_points(group=GROUP)
        if getattr(_imported(kind, point.value), "strategy_kind", None) == kind
    ]
    return sorted({*own, *others})


def settings_of(cls: type[Any], config: Config) -> Any:
    """A strategy's own settings: those under ``strategies.<name>``, checked. Raises UserError."""
    name = getattr(cls, "strategy_name", f"{cls.__module__}:{cls.__qualname__}")
    model: type[Section] = getattr(cls, "Settings", NoSettings)
    return check(model, config.strategies.get(name, {}), f"strategies.{name}")


def check_settings_used(config: Config, used: Iterable[type[Any]]) -> None:
    """Raises UserError where ``strategies`` holds settings of a strategy that the run does not use."""
    known = {getattr(cls, "strategy_name", f"{cls.__module__}:{cls.__qualname__}") for cls in used}
    for name in config.strategies:
        if name not in known:
            raise UserError(
                f"strategies.{name}: expected settings of a strategy that the run uses "
                f"({', '.join(sorted(known))}), found those of another"
            )


def _imported(kind: str, target: str) -> type[Any]:
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{kind}: expected a class that can be imported, found {target}: {error}") from None
    if not isinstance(found, type):
        raise UserError(f"{kind}: expected a class, found {target}, which is a {type(found).__name__}")
    return found


def _built_in(kind: str) -> Iterator[type[Any]]:
    room = importlib.import_module(ROOMS[kind])
    modules = [room, *(importlib.import_module(name) for name in _modules_of(room))]
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and value.__dict__.get("strategy_kind") == kind:
                yield value


def _modules_of(room: ModuleType) -> list[str]:
    return [f"{room.__name__}.{info.name}" for info in pkgutil.iter_modules(room.__path__)]
