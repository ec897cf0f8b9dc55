"""Two programs, or two runs, side by side: the difference, its error, and what chance alone would give."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import erfc, fsum, hypot, sqrt
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.facts import Fact, facts, iteration_of, outline
from openevolve.inspect.fresh import compared
from openevolve.inspect.parts import parts_of
from openevolve.inspect.questions import ranked
from openevolve.inspect.reading import Run, worked_out

Answer = dict[str, Any]
_FLIPS = 14  # parts; of more, all ways to turn their signs are too many to go through


def compare(run: Run, name: str, other: str) -> Answer:
    """The first program less the second. Raises UserError for programs without a score.

    ``p_value`` is two-sided and normal, with the errors taken as independent; for programs measured on the
    same images that is too large. ``paired`` looks at the parts of the fitness, such as data sets, alone;
    ``afresh`` at what was measured of both after the search (``fresh.compared``).
    """
    pair = [_scored(run, each) for each in (name, other)]
    rows = _part_by_part(run, *pair)
    return {
        "first": _brief(pair[0]),
        "second": _brief(pair[1]),
        **_difference(*pair),
        "parts": rows,
        "paired": sign_flips([row["difference"] for row in rows]),
        "afresh": compared(pair[0]["fresh"], pair[1]["fresh"]) if pair[0]["id"] != pair[1]["id"] else None,
    }


def compare_runs(run: Run, other: Run) -> Answer:
    """The best of each by estimate, the first run's less the second's, and the settings that differ.

    Raises UserError where a run has no score, or both have another fitness.
    """
    metrics = [outline(each)["fitness_metric"] for each in (run, other)]
    if metrics[0] != metrics[1]:
        raise UserError(f"expected two runs with one fitness, found {metrics[0]} and {metrics[1]}")
    best = []
    for each in (run, other):
        found = ranked(facts(each))
        if not found:
            raise UserError(f"{each.folder}: expected a run with a score, found none yet")
        best.append(found[0])
    settings = [worked_out(each, "settings", settings_of) for each in (run, other)]
    names = sorted(
        name for name in settings[0].keys() | settings[1] if settings[0].get(name) != settings[1].get(name)
    )
    return {
        "runs": [str(run.folder), str(other.folder)],
        "first": _brief(best[0]),
        "second": _brief(best[1]),
        **_difference(*best),
        "scored": [len(ranked(facts(each))) for each in (run, other)],
        "parts": (rows := _part_by_part(run, *best)),
        "paired": sign_flips([row["difference"] for row in rows]),
        "afresh": _finals(*best),
        "settings": [
            {"name": name, "first": settings[0].get(name), "second": settings[1].get(name)} for name in names
        ],
    }


def _finals(first: Fact, second: Fact) -> Answer | None:
    """Of two winners: their final scores, whose errors are independent, since each run drew its own seeds."""
    if not (first["final"] and second["final"]):
        return None
    difference = first["final"]["score"] - second["final"]["score"]
    found = {"difference": difference, "n": [each["final"]["measurements"] for each in (first, second)],
             "units": None, "degrees": None, "error": None, "p_value": None}  # fmt: skip
    if first["final"]["error"] is not None and second["final"]["error"] is not None:
        error = hypot(first["final"]["error"], second["final"]["error"])
        found |= {"error": error, "p_value": _two_sided(difference, error)}
    return found


def settings_of(run: Run) -> dict[str, Any]:
    """All settings of the latest session, by their whole names."""
    return flat(run.state.config.model_dump(mode="json"))


def _part_by_part(run: Run, first: Fact, second: Fact) -> list[Answer]:
    """Parts of the fitness that both have, such as data sets."""
    found = []
    for metric, part in parts_of(outline(run)["fitness_metric"], first["metrics"]).items():
        mine, other = first["metrics"][metric], second["metrics"].get(metric)
        if other is not None:
            found.append({"part": part, "first": mine, "second": other, "difference": mine - other})
    return found


def _scored(run: Run, name: str) -> Fact:
    iteration = iteration_of(run, name)
    row = next(row for row in facts(run) if row["iteration"] == iteration)
    if row["fitness"] is None:
        raise UserError(f"{name}: expected a program with a score, found one that is {row['status']}")
    return row


def _brief(row: Fact) -> Answer:
    return {key: row[key] for key in ("id", "iteration", "fitness", "error", "estimate", "changes")}


def _difference(first: Fact, second: Fact) -> Answer:
    found: Answer = {"difference": first["fitness"] - second["fitness"], "error": None, "p_value": None}
    if first["id"] != second["id"] and first["error"] is not None and second["error"] is not None:
        found["error"] = hypot(first["error"], second["error"])
        found["p_value"] = _two_sided(found["difference"], found["error"])
    if first["estimate"] is not None and second["estimate"] is not None:
        found["estimated"] = first["estimate"] - second["estimate"]
    return found


def _two_sided(difference: float, error: float) -> float:
    if error == 0:
        return 0.0 if difference else 1.0
    return erfc(abs(difference) / error / sqrt(2))


def sign_flips(differences: Sequence[float]) -> Answer | None:
    """An exact paired test: if signs were arbitrary, how often would the mean be as far from 0?

    Fisher's randomization test (1935), two-sided. None below two differences or above 14. With n of them the
    p-value is never below 2 / 2ⁿ.
    """
    if not 2 <= len(differences) <= _FLIPS:
        return None
    found = abs(fsum(differences))
    slack = 1e-12 * fsum(map(abs, differences))
    as_far = sum(
        abs(fsum(sign * value for sign, value in zip(signs, differences, strict=True))) >= found - slack
        for signs in product((1, -1), repeat=len(differences))
    )
    return {
        "count": len(differences),
        "mean": fsum(differences) / len(differences),
        "p_value": as_far / 2 ** len(differences),
        "smallest_possible": 2.0 / 2 ** len(differences),
    }


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[before + name] = value
    return found
