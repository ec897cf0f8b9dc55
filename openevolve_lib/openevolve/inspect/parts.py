"""What a fitness is made of, and how it was reached: read from the names and texts that evaluators give."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_CURVE = re.compile(
    r"^(?P<name>[^:\n]{1,80}): [^\n]*?\bby epoch (?P<values>-?\d[\d.]*(?: -?\d[\d.]*)*)", re.M
)


def parts_of(fitness: str, metrics: Iterable[str]) -> dict[str, str]:
    """Names of parts by metric: a fitness ``mean_SOMETHING`` is the mean of all ``PART_SOMETHING``.

    Empty where the fitness is named otherwise.
    """
    if not fitness.startswith("mean_"):
        return {}
    ending = fitness.removeprefix("mean")
    return {
        metric: metric.removesuffix(ending)
        for metric in dict.fromkeys(metrics)
        if metric.endswith(ending) and metric not in (fitness, ending)
    }


def curves(artifacts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Values by epoch: of each line ``NAME: ... by epoch 0.81 0.84 0.83; ...`` of an evaluator's texts."""
    return [
        {"name": found["name"], "values": [float(value) for value in found["values"].split()]}
        for text in artifacts.values()
        for found in _CURVE.finditer(text)
        if all(value.count(".") <= 1 for value in found["values"].split())
    ]
