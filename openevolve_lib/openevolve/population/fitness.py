"""What a program is judged by: one metric, or what stands in for a ``combined_score`` that is not there."""

from collections.abc import Collection, Mapping

COMBINED_SCORE = "combined_score"

_OTHER_NAMES = ("overall_score", "score")  # of what evaluators call the whole
_MOST_APART = 100.0  # values of metrics that are averaged: a larger one decides alone


def judged_by(metrics: Mapping[str, float], name: str, axes: Collection[str]) -> list[str]:
    """The metrics whose mean is fitness: ``name`` alone where it is there.

    For ``combined_score`` there is ``overall_score`` or ``score``; without these it is the mean of all
    metrics that are no axis, as in OpenEvolve. Raises ValueError where there is nothing to go by.
    """
    if name in metrics:
        return [name]
    if name != COMBINED_SCORE:
        raise ValueError(f"expected the metric {name!r} (database.fitness_metric), found {sorted(metrics)}")
    for other in _OTHER_NAMES:
        if other in metrics:
            return [other]
    found = [key for key in metrics if key not in axes]
    if not found:
        raise ValueError(f"expected the metric {name!r}, found {sorted(metrics)}")
    return found


def stand_in(names: list[str], name: str) -> str | None:
    """What is to be said where something else than the fitness metric is fitness."""
    if names == [name]:
        return None
    what = names[0] if len(names) == 1 else f"the mean of {', '.join(names)}"
    return (
        f"the evaluator gives no {name}: fitness is {what}, larger is better. "
        f"Return {name}, or name a metric with --set database.fitness_metric=..."
    )


def unlike(names: list[str], metrics: Mapping[str, float]) -> str | None:
    """What is wrong with the mean of these metrics, if anything."""
    sizes = {name: abs(metrics[name]) for name in names if metrics[name]}
    if len(sizes) < 2:
        return None
    small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[large] < _MOST_APART * sizes[small]:
        return None
    return (
        f"expected {COMBINED_SCORE} from the evaluator, found metrics whose mean says nothing: "
        f"{small} is {metrics[small]:.4g}, {large} is {metrics[large]:.4g}. "
        f"Return {COMBINED_SCORE}, or name a metric: --set database.fitness_metric={small}"
    )
