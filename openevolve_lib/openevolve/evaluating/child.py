"""Inside an evaluation's own process: load the evaluator, call it, report what it returned."""

import asyncio
import importlib.util
import json
import math
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from inspect import isawaitable
from pathlib import Path
from types import ModuleType
from typing import Any

from openevolve.errors import UserError
from openevolve.evaluating import progress, units
from openevolve.evaluation_result import NOT_FINITE, EvaluationFailed, EvaluationResult
from openevolve.records.program import FailureKind

_ARTIFACT_CHARACTERS = 100_000
_MOST_RUNGS = 16
_STAGES = ("evaluate_stage1", "evaluate_stage2", "evaluate_stage3")
_EXCEPTION_KINDS = (
    (ImportError, FailureKind.IMPORT_ERROR),
    (SyntaxError, FailureKind.IMPORT_ERROR),
    (PermissionError, FailureKind.FORBIDDEN),  # what walls refuse
    (MemoryError, FailureKind.OUT_OF_MEMORY),
    (TimeoutError, FailureKind.TIMEOUT),
)


def main(channel: socket.socket, argument: Mapping[str, Any]) -> None:
    """Evaluate ``argument["program"]`` and send one JSON object: metrics and artifacts, or a failure.

    With ``argument["ladder"]`` a line of JSON for each rung goes before it, each answered by a line:
    ``promote`` or ``stop``. With ``argument["look"]`` one unit is measured, ``{"unit", "repeat"}``; with
    ``argument["offer"]`` nothing is, and the units that the evaluator offers are the artifact ``units``.
    """
    report: dict[str, object]
    progress.listen(channel)
    try:
        evaluator = load_evaluator(Path(argument["evaluator"]))
        if argument["offer"]:
            report = {"metrics": {}, "artifacts": {"units": json.dumps(units.offered(evaluator))}}
        elif argument["look"]:
            found = units.look(evaluator, argument["program"], argument["look"])
            report = _report(_checked(found, "measure() to return"))
        elif argument["ladder"]:
            report = _report(_climb(evaluator, argument["program"], channel))
        else:
            report = _report(_evaluate(evaluator, argument["program"], argument["cascade_thresholds"]))
    except EvaluationFailed as failure:
        report = _failure(failure.kind, str(failure), failure.output_tail)
    except UserError as error:  # the evaluator says that no program could be scored: data gone, disk full
        report = {"interrupted": str(error)[:4000]}
    except BaseException as error:  # whatever a program raises is its result, sys.exit() too
        _print_traceback()
        report = _failure(_kind(error), f"{type(error).__name__}: {error}")
    channel.sendall(_encoded(report))
    channel.shutdown(socket.SHUT_WR)


def load_evaluator(path: Path) -> ModuleType:
    """Import an evaluator file; modules beside it can be imported by it.

    Raises:
        EvaluationFailed: it does not import, or defines no ``evaluate``.
    """
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("openevolve_evaluator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        _print_traceback()
        found = f"{type(error).__name__}: {error}"
        raise EvaluationFailed(
            FailureKind.IMPORT_ERROR, f"{path}: expected an evaluator that imports, found {found}"
        ) from None
    if not hasattr(module, "evaluate"):
        raise EvaluationFailed(
            FailureKind.IMPORT_ERROR, f"{path}: expected a function evaluate(program_path), found none"
        )
    return module


def _climb(evaluator: ModuleType, program: str, channel: socket.socket) -> EvaluationResult:
    """The last result of ``evaluate_rungs``, or that of the rung which the engine wants no more than."""
    evaluate_rungs = getattr(evaluator, "evaluate_rungs", None)
    if evaluate_rungs is None:
        raise EvaluationFailed(
            FailureKind.IMPORT_ERROR,
            f"{evaluator.__file__}: expected a function evaluate_rungs(program_path), since the setting "
            "fidelity asks for rungs, found none; define it, or set fidelity: full",
        )
    rungs = evaluate_rungs(program)
    if not isinstance(rungs, Generator):
        found = type(rungs).__name__
        raise EvaluationFailed(
            FailureKind.CRASHED,
            f"expected evaluate_rungs() to be a generator, found one that returns {found}",
        )
    answers = channel.makefile("r")
    result = None
    with closing(rungs):
        for number, returned in enumerate(rungs, start=1):
            if number > _MOST_RUNGS:
                raise EvaluationFailed(
                    FailureKind.CRASHED, f"expected at most {_MOST_RUNGS} rungs, found more"
                )
            result = _checked(returned, f"evaluate_rungs() to yield for rung {number}")
            channel.sendall(_encoded({"rung": number, **_report(result)}) + b"\n")
            if answers.readline() != "promote\n":
                break
    if result is None:
        raise EvaluationFailed(
            FailureKind.CRASHED, "expected evaluate_rungs() to yield a result for each rung, found none"
        )
    return result


def _evaluate(evaluator: ModuleType, program: str, thresholds: list[float] | None) -> EvaluationResult:
    """``evaluate``, or the stages of a cascade: each is run if the one before reached its threshold."""
    stages = [getattr(evaluator, name, None) for name in _STAGES]
    if thresholds is None or stages[0] is None:
        return _result(evaluator.evaluate, program)
    result = _result(stages[0], program)
    for threshold, stage in zip(thresholds, stages[1:], strict=False):
        if stage is None or _cascade_score(result.metrics) < threshold:
            break
        later = _result(stage, program)
        result = EvaluationResult(
            {**result.metrics, **later.metrics},
            {**result.artifacts, **later.artifacts},
            {**result.measurements, **later.measurements},
        )
    return result


def _result(evaluate: Callable[[str], object], program: str) -> EvaluationResult:
    return _checked(evaluate(program), "evaluate() to return")


def _checked(returned: object, expected: str) -> EvaluationResult:
    if isawaitable(returned):  # ``async def evaluate``
        returned = asyncio.run(_awaited(returned))
    if isinstance(returned, EvaluationResult):
        return returned
    if isinstance(returned, Mapping):
        return EvaluationResult(metrics=returned)
    raise EvaluationFailed(
        FailureKind.CRASHED,
        f"expected {expected} a mapping of metrics or an EvaluationResult, found {type(returned).__name__}",
    )


async def _awaited(returned: Awaitable[object]) -> object:
    return await returned


def _report(result: EvaluationResult) -> dict[str, object]:
    """Numbers are metrics. Texts among them, such as an error, and what is not finite become artifacts."""
    numbers, others = _numbers(result.metrics), _remarks(result.metrics)
    report: dict[str, object] = {"metrics": numbers, "artifacts": _texts({**others, **result.artifacts})}
    if result.measurements:
        report["measurements"] = {name: _finite(name, found) for name, found in result.measurements.items()}
    return report


def _finite(unit: str, values: Sequence[float]) -> list[float]:
    found = [float(value) for value in values]
    if not all(map(math.isfinite, found)):
        raise EvaluationFailed(FailureKind.DIVERGED, f"unit {unit}: expected finite values, found {found}")
    return found


def _encoded(report: Mapping[str, object]) -> bytes:
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "replace")


def _cascade_score(metrics: Mapping[str, float]) -> float:
    numbers = _numbers(metrics)
    return numbers.get("combined_score", sum(numbers.values()) / max(1, len(numbers)))


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    """The finite metrics.

    A program diverged if its ``combined_score`` is not finite, or none of its metrics is. Others that are
    not finite are left out: whatever needs them will miss them.
    """
    numbers = {}
    infinite = ""
    for name, value in metrics.items():
        if isinstance(value, str) or not hasattr(value, "__float__"):
            continue  # upstream's evaluators return texts beside numbers
        number = float(value)
        if math.isfinite(number):
            numbers[str(name)] = number
        elif not infinite or name == "combined_score":
            infinite = f"{name} = {number}"
    if infinite and (not numbers or infinite.startswith("combined_score ")):
        raise EvaluationFailed(FailureKind.DIVERGED, f"expected finite metrics, found {infinite}")
    return numbers


def _remarks(metrics: Mapping[str, object]) -> dict[str, str]:
    """What an evaluator says among its metrics without being a number."""
    remarks = {}
    for name, value in metrics.items():
        if isinstance(value, str) and value:
            remarks[str(name)] = value
        elif isinstance(value, float) and not math.isfinite(value):
            remarks[str(name)] = f"{value}: {NOT_FINITE}"
    return remarks


def _texts(artifacts: Mapping[str, object]) -> dict[str, str]:
    texts = {}
    for name, value in artifacts.items():
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        texts[str(name)] = text[:_ARTIFACT_CHARACTERS]
    return texts


def _print_traceback() -> None:
    """Behind what the program printed: the end of the output is what is kept of it."""
    with suppress(AttributeError, OSError, ValueError):  # it may have closed or replaced its streams
        sys.stdout.flush()
        traceback.print_exc(file=sys.__stderr__)


def _kind(error: BaseException) -> FailureKind:
    kinds = (kind for exception, kind in _EXCEPTION_KINDS if isinstance(error, exception))
    return next(kinds, FailureKind.CRASHED)


def _failure(kind: FailureKind, message: str, output_tail: str = "") -> dict[str, object]:
    """A report without an output tail gets the end of what the evaluation printed."""
    return {"failure": kind.value, "message": message[:4000], "output_tail": output_tail[-4000:]}
