"""Units: what an evaluator offers to measure of a program again, one piece of work at a time.

Beside ``evaluate`` an evaluator may define ``units()``, which returns a list of mappings with the fields of
``Unit`` (a name and a group at least), and ``measure(program_path, unit, repeat)``, which measures one of
them with the seed that ``repeat`` says. It returns what ``evaluate`` returns: the fitness metric is the
unit's value, ``cost`` what it took. Repeats from 0 to the unit's ``repeats`` are those of ``evaluate``.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from openevolve.evaluation_result import EvaluationFailed
from openevolve.records.program import FailureKind


def offered(evaluator: ModuleType) -> list[dict[str, Any]]:
    """The units as mappings. Raises EvaluationFailed where there are none."""
    if not hasattr(evaluator, "units") or not hasattr(evaluator, "measure"):
        raise EvaluationFailed(
            FailureKind.IMPORT_ERROR,
            f"{evaluator.__file__}: expected functions units() and measure(program_path, unit, repeat), as "
            "final_share asks for fresh measurements, found none; define them, or set final_share to 0",
        )
    return [dict(unit) for unit in evaluator.units()]


def look(evaluator: ModuleType, program: str, which: Mapping[str, Any]) -> object:
    """What one unit gives for a program."""
    return evaluator.measure(program, which["unit"], which["repeat"])
