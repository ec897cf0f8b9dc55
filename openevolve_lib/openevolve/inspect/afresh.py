"""What was measured after the search: the final on fresh seeds, and a confirmation beside the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openevolve.records.measurement import fitness_weights

if TYPE_CHECKING:
    from openevolve.state.state import State

Answer = dict[str, Any]


def final_scores(state: "State") -> dict[str, Answer]:
    """By program id: what a finalist's fresh measurements say, beside what the search claimed and estimated.

    ``error`` is None where nothing is known of the noise. ``won`` is of the winner alone, once a final is
    over and the search has not gone on since. Empty before a final has measured anybody on every unit.
    """
    final = state.final
    if final is None:
        return {}
    from openevolve.search.final import course_of, winner_of

    course, winner = course_of(state), winner_of(state)
    assert course is not None
    return {
        standing.program_id: {
            "score": standing.score,
            "error": standing.standard_error or None,
            "measurements": standing.measurements,
            "claimed": final.claimed.get(standing.program_id),
            "estimated": final.estimated.get(standing.program_id),
            "won": winner is not None and winner.program_id == standing.program_id,
        }
        for standing in course.standings()
    }


def fresh_of(state: "State") -> dict[str, list[tuple[str, float, float]]]:
    """By program id: unit, its weight in the fitness and value of everything that was measured afresh."""
    weights = fitness_weights(state.final.units) if state.final is not None else {}
    found: dict[str, list[tuple[str, float, float]]] = {}
    for measurement in (*state.looks, *(each for several in state.again.values() for each in several)):
        entry = (measurement.unit, weights.get(measurement.unit, 1.0), measurement.value)
        found.setdefault(measurement.program_id, []).append(entry)
    return found


def final_of(state: "State") -> Answer | None:
    """How far the latest final is; None where none began."""
    final = state.final
    if final is None:
        return None
    from openevolve.search.final import course_of, winner_of

    course = course_of(state)
    assert course is not None
    return {
        "iterations": [state.iterations[name] for name in final.candidates],
        "measured": len(state.looks),
        "lacking": len(course.todo()),
        "over": winner_of(state) is not None,
        "outdated": final.committed < len(state.committed),
    }


def confirmation_of(folder: Path) -> Answer | None:
    """What ``confirmation.json`` says, where a confirmation has ended; a file that is none is none.

    Its figures are of data that no search has seen, which a confirmation opens once: they choose nothing.
    """
    try:
        found = json.loads((folder / "confirmation.json").read_text(encoding="utf-8"))
        return {
            "trainings": int(found["trainings"]),
            "looks": int(found["looks_at_test_split"]),
            "programs": [_confirmed(entry) for entry in found["programs"]],
            "beside": [_beside(row) for row in found.get("beside", [])],
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _beside(row: Mapping[str, Any]) -> Answer:
    """A network on the same data: one of the run's, or one that others have published."""
    params = row["parameters"]
    return {
        "name": str(row["name"]),
        "parameters": None if params is None else int(params),
        "value": float(row["auc"]),
        "source": str(row["source"]),
    }


def _confirmed(entry: Mapping[str, Any]) -> Answer:
    held_out = entry.get("test")
    return {
        "id": str(entry["id"]),
        "claimed": float(entry["claimed_gain"]),
        "validated": float(entry["validation"]["mean"]["difference"]) if "validation" in entry else None,
        "screen": str(entry["screen"]),
        "gain": float(held_out["mean"]["difference"]) if held_out else None,
        "answers": [
            {
                "question": str(question),
                "low": float(answer["ci95"][0]),
                "high": float(answer["ci95"][1]),
                "p_value": float(answer["p_holm"]),
            }
            for question, answer in (held_out["mean"]["answers"] if held_out else {}).items()
        ],
    }
