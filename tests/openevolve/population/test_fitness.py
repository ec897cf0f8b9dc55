"""What is fitness where an evaluator gives no combined_score."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.population.fitness import judged_by, stand_in, unlike

NAMES = st.sampled_from(["accuracy", "size", "speed", "score", "combined_score"])
METRICS = st.dictionaries(NAMES, st.floats(-1e6, 1e6), min_size=1)


@given(METRICS)
def test_the_fitness_metric_counts_alone_where_it_is_there(metrics: dict[str, float]) -> None:
    metrics["combined_score"] = 0.5
    assert judged_by(metrics, "combined_score", set()) == ["combined_score"]
    assert stand_in(["combined_score"], "combined_score") is None


def test_what_an_evaluator_calls_the_whole_goes_before_a_mean() -> None:
    assert judged_by({"a": 1, "score": 2}, "combined_score", set()) == ["score"]
    assert judged_by({"a": 1, "score": 2, "overall_score": 3}, "combined_score", set()) == ["overall_score"]
    assert judged_by({"a": 1, "b": 2, "size": 9}, "combined_score", {"size"}) == ["a", "b"]


def test_it_is_said() -> None:
    said = stand_in(["a", "b"], "combined_score")
    assert said is not None
    assert "no combined_score: fitness is the mean of a, b, larger is better" in said
    assert "database.fitness_metric" in said


@given(st.dictionaries(st.text("abc", min_size=1), st.floats(-1e9, 1e9).filter(bool), min_size=2))
def test_a_mean_is_refused_exactly_where_one_value_would_decide_alone(metrics: dict[str, float]) -> None:
    sizes = sorted(map(abs, metrics.values()))
    apart = sizes[-1] >= 100 * sizes[0]
    assert (unlike([*metrics], metrics) is not None) == apart
    assert not math.isnan(sizes[0])


def test_zeros_have_no_scale() -> None:
    assert unlike(["a", "b"], {"a": 0.0, "b": 1e9}) is None


def test_the_refusal_names_both_and_a_way_out() -> None:
    problem = unlike(["accuracy", "latency_ms"], {"accuracy": 0.9, "latency_ms": 153.0})
    assert problem == (
        "expected combined_score from the evaluator, found metrics whose mean says nothing: "
        "accuracy is 0.9, latency_ms is 153. Return combined_score, or name a metric: "
        "--set database.fitness_metric=accuracy"
    )


def test_metrics_that_are_asked_for_have_to_be_there() -> None:
    with pytest.raises(ValueError, match="expected the metric 'auc'"):
        judged_by({"a": 1.0}, "auc", set())
