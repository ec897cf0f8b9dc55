"""An evolution engine: programs are proposed, evaluated and kept in a MAP-Elites archive.

``openevolve.api`` is the engine as a library; CONTRIBUTING.md leads through its rooms.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from openevolve.instead import ABSENT

if TYPE_CHECKING:
    from openevolve.api import (
        EvolutionResult,
        OpenEvolve,
        evolve_algorithm,
        evolve_code,
        evolve_function,
        run_evolution,
    )
    from openevolve.evaluation_result import EvaluationResult
    from openevolve.settings.models import Config

    __version__: str

__all__ = [
    "Config",
    "EvaluationResult",
    "EvolutionResult",
    "OpenEvolve",
    "__version__",
    "evolve_algorithm",
    "evolve_code",
    "evolve_function",
    "run_evolution",
]

_ELSEWHERE = {"Config": "settings.models", "EvaluationResult": "evaluation_result"}

sys.meta_path.append(ABSENT)


def __getattr__(name: str) -> Any:
    """Late, for evaluations import this package too, and need none of it."""
    if name == "__version__":
        return import_module("importlib.metadata").version("openevolve-medevonet")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'api')}"), name)
