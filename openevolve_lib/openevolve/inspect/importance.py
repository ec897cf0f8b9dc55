"""What went with better programs: operators by the gains they brought, metrics by their rank with fitness."""

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, variance
from typing import Any

from openevolve.inspect.facts import Fact, facts, outline
from openevolve.inspect.reading import Run, worked_out
from openevolve.records.program import standard_error_of

Answer = dict[str, Any]
_FEWEST = 3  # programs on either side, below which nothing is said


def importance(run: Run) -> dict[str, list[Answer]]:
    """``operators``: mean gain over the parent with one less that without it, with Welch's error and n.
    ``metrics``: Spearman's rank correlation with the fitness over all programs with a score, and n.

    Both are what went together in this run, and no proof of a cause.
    """
    return worked_out(run, "importance", _importance)


def _importance(run: Run) -> dict[str, list[Answer]]:
    rows = [row for row in facts(run) if row["status"] == "scored"]
    return {"operators": _operators(run, rows), "metrics": _metrics(run, rows)}


def _operators(run: Run, rows: Sequence[Fact]) -> list[Answer]:
    fitness = {row["id"]: row["fitness"] for row in rows}
    gains: list[float] = []
    of: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        parent = fitness.get(row["parents"][0]) if row["parents"] else None
        if parent is None:
            continue
        for name in row["proposer"].rpartition("/")[2].split("+"):
            of[name].add(len(gains))
        gains.append(row["fitness"] - parent)
    found = []
    for name, members in of.items():
        sides = [[gains[i] for i in members], [gain for i, gain in enumerate(gains) if i not in members]]
        if min(map(len, sides)) < _FEWEST:
            continue
        error = sqrt(sum(variance(side) / len(side) for side in sides))
        effect = fmean(sides[0]) - fmean(sides[1])
        found.append({"name": name or "unnamed", "effect": effect, "error": error, "n": len(members)})
    return sorted(found, key=lambda entry: -entry["effect"])


def _metrics(run: Run, rows: Sequence[Fact]) -> list[Answer]:
    metric = outline(run)["fitness_metric"]
    names = dict.fromkeys(name for row in rows for name in row["metrics"])
    errors = {standard_error_of(name) for name in names}
    found = []
    for name in names:
        pairs = [(row["metrics"][name], row["fitness"]) for row in rows if name in row["metrics"]]
        values, scores = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if name in errors or name == metric or values == scores or len(set(values)) < _FEWEST:
            continue
        found.append({"name": name, "effect": spearman(values, scores), "error": None, "n": len(pairs)})
    return sorted(found, key=lambda entry: -abs(entry["effect"]))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """The correlation of ranks, ties by their mean rank; 0 where either does not vary."""
    one, two = _ranks(first), _ranks(second)
    middle = (len(one) + 1) / 2
    shared = sum((a - middle) * (b - middle) for a, b in zip(one, two, strict=True))
    own = [sqrt(sum((rank - middle) ** 2 for rank in ranks)) for ranks in (one, two)]
    return round(shared / (own[0] * own[1]), 12) if own[0] and own[1] else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 + 1
        start = end + 1
    return ranks
