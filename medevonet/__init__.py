"""Networks for medical images, evolved and scored: ``search``, ``evaluate``, ``confirm``, ``open_run``.

The rooms are one subject each, named by it; ``medevonet.api`` is what is called from Python.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medevonet.api import (
        confirm,
        confirm_async,
        evaluate,
        evaluate_async,
        open_run,
        search,
        search_async,
    )

__all__ = [
    "confirm",
    "confirm_async",
    "evaluate",
    "evaluate_async",
    "open_run",
    "search",
    "search_async",
]


def __getattr__(name: str) -> Any:
    """Late: what runs beside a program imports this package too, and needs torch and numpy alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("medevonet.api"), name)
