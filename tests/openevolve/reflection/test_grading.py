"""Grades by a language model: OpenEvolve's formulas, and no score without them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.records.program import FailureKind, Outcome
from openevolve.reflection.grading import Grades, graded, read_grades

GRADE = st.floats(0, 1)
GRADES = st.dictionaries(st.sampled_from(["clarity", "correctness", "syntax"]), GRADE, min_size=1)


@given(score=st.floats(-10, 10), grades=GRADES, weight=st.floats(0, 2))
def test_a_combined_score_is_seven_tenths_measured(
    score: float, grades: dict[str, float], weight: float
) -> None:
    found = graded(Outcome("p", {"combined_score": score, "x": 1.0}), Grades(grades), weight)
    mean = sum(grades.values()) / len(grades)
    assert found.metrics["combined_score"] == pytest.approx(0.7 * score + 0.3 * mean)
    assert found.metrics["llm_average"] == pytest.approx(weight * mean)
    assert {name: found.metrics[f"llm_{name}"] for name in grades} == pytest.approx(
        {name: weight * grade for name, grade in grades.items()}
    )
    assert found.metrics["x"] == 1.0


def test_without_a_combined_score_grades_are_metrics_among_others() -> None:
    found = graded(Outcome("p", {"x": 1.0}), Grades({"clarity": 0.5}, {"why": "short"}), 1.0)
    assert found.metrics == {"x": 1.0, "llm_clarity": 0.5, "llm_average": 0.5}
    assert found.artifacts == {"llm_why": "short"}


def test_a_program_without_grades_has_no_score() -> None:
    found = graded(Outcome("p", {"combined_score": 0.9}), Grades(problem="no answer"), 0.1)
    assert found.failure is FailureKind.CRASHED
    assert "found none: no answer" in found.message


BEFORE, AFTER = ("", "Here:\n```json\n", "<p>"), ("", "\n```")


@given(grades=GRADES, before=st.sampled_from(BEFORE), after=st.sampled_from(AFTER))
def test_grades_are_read_out_of_what_stands_around_them(
    grades: dict[str, float], before: str, after: str
) -> None:
    text = before + json.dumps({**grades, "reasoning": "well made", "sure": True}) + after
    assert read_grades(text) == Grades(grades, {"reasoning": "well made", "sure": "True"})


@pytest.mark.parametrize(
    "reply", ["", "Good.", "[1]", "{}", '{"clarity": "high"}', '{"clarity": NaN}', "{" * 9999]
)
def test_a_reply_without_a_number_is_no_grade(reply: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_grades(reply)


def test_numbers_too_large_for_a_float_are_remarks() -> None:
    found = read_grades('{"clarity": 0.5, "size": 1' + "0" * 400 + "}")
    assert set(found.values) == {"clarity"}
    assert all(math.isfinite(value) for value in found.values.values())
