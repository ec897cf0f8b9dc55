"""Grades by a language model, as a part of a program's score (``evaluator.use_llm_feedback``)."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openevolve.llm.base import CompletionFailed, LanguageModel, Models
from openevolve.llm.calls import Calls
from openevolve.proposing.prompts import build_grading_prompt
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.settings.models import Config

COMBINED_SCORE, AVERAGE = "combined_score", "llm_average"
GRADE_SHARE = 0.3  # of combined_score, as in OpenEvolve; the rest is what the evaluator measured
_MOST_REPLIES = 2


@dataclass(frozen=True)
class Grades:
    """Numbers by what they grade, and remarks; ``problem`` says why there are none."""

    values: Mapping[str, float] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class Grader:
    """Asks a model to grade a program; a reply without numbers is asked for once more."""

    def __init__(self, model: LanguageModel, config: Config) -> None:
        self.model = model
        self.config = config

    async def grade(self, program: Program, calls: Calls) -> Grades:
        """Raises ProviderFailed, ModelUnreachable and ProviderRejected as ``calls`` does."""
        messages = build_grading_prompt(program, self.config)
        problem = ""
        for _ in range(_MOST_REPLIES):
            try:
                completion = await calls.complete(self.model, messages)
            except CompletionFailed as failure:
                return Grades(problem=str(failure))
            try:
                return read_grades(completion.text)
            except ValueError as error:
                problem = str(error)
        return Grades(problem=problem)


def build_grader(config: Config, models: Models) -> Grader | None:
    """With ``evaluator.use_llm_feedback``; it asks ``llm.evaluator_models`` or, where none is, the others."""
    if not config.evaluator.use_llm_feedback:
        return None
    return Grader(models(config.llm.reviewers() if config.llm.evaluator_models else config.llm), config)


def read_grades(reply: str) -> Grades:
    """The JSON object of a reply: numbers are grades, whatever else it holds are remarks.

    Raises ValueError where there is no object, or no finite number in it.
    """
    start, end = reply.find("{"), reply.rfind("}")
    try:
        found: Any = json.loads(reply[start : end + 1])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"expected grades as a JSON object, found {reply.strip()[:80]!r}")
    numbers = {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    }
    if not numbers:
        raise ValueError(f"expected a number for at least one grade, found {reply.strip()[:80]!r}")
    return Grades(numbers, {name: str(value) for name, value in found.items() if name not in numbers})


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def graded(outcome: Outcome, grades: Grades, weight: float) -> Outcome:
    """An outcome with grades among its metrics, and in ``combined_score`` where it has one.

    OpenEvolve's formulas: a metric ``llm_NAME`` is ``weight`` times the grade, ``llm_average`` ``weight``
    times their mean, and ``combined_score`` becomes 0.7 of itself and 0.3 of that mean. A program that
    could not be graded has no score: it would stand on another scale than the others.
    """
    if not grades.values:
        text = (
            f"expected grades of a language model (evaluator.use_llm_feedback), found none: {grades.problem}"
        )
        return Outcome(outcome.program_id, failure=FailureKind.CRASHED, message=text)
    mean = sum(grades.values.values()) / len(grades.values)
    metrics = {**outcome.metrics, **{f"llm_{name}": weight * grade for name, grade in grades.values.items()}}
    metrics[AVERAGE] = weight * mean
    if COMBINED_SCORE in outcome.metrics:
        metrics[COMBINED_SCORE] = (1 - GRADE_SHARE) * outcome.metrics[COMBINED_SCORE] + GRADE_SHARE * mean
    artifacts = {**outcome.artifacts, **{f"llm_{name}": text for name, text in grades.remarks.items()}}
    return replace(outcome, metrics=metrics, artifacts=artifacts)
