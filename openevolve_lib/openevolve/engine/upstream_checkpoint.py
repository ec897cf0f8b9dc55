"""Going on from a checkpoint of OpenEvolve's: its programs begin a journal, as if found here."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.records.program import Elite, Outcome, Program
from openevolve.settings.files import public_settings
from openevolve.settings.models import Config
from openevolve.state.journal import Journal
from openevolve.state.state import JOURNAL_VERSION, State

PROPOSER = "checkpoint"


def is_upstreams(checkpoint: Path) -> bool:
    """Whether a folder is laid out as OpenEvolve's checkpoints are."""
    return (checkpoint / "metadata.json").is_file() and any((checkpoint / "programs").glob("*.json"))


def begin_from(checkpoint: Path, journal: Path, config: Config) -> int:
    """Write a journal of the checkpoint's programs, the oldest first; returns the last iteration's number.

    Programs without a score that counts here are left out. The oldest is the initial program, also of those
    whose parent is gone. Raises UserError where there is nothing to go on from, or a journal already.
    """
    if journal.exists():
        raise UserError(
            f"{journal.parent}: expected a folder without a run, to go on from {checkpoint}, found one; "
            "name another with --output, or leave out --checkpoint to go on with that run"
        )
    state = State(config)
    found = [each for each in _programs(checkpoint) if _has_a_score(each, state)]
    if not found:
        raise UserError(
            f"{checkpoint}: expected programs with the metrics that the settings ask for "
            f"({config.database.fitness_metric}, axes), found none"
        )
    numbers = {each["id"]: number for number, each in enumerate(found)}
    with Journal(journal) as opened:
        record = Recorder(opened, state, [])
        settings = public_settings(config)
        record("run_started", version=JOURNAL_VERSION, initial_code=found[0]["code"], settings=settings)
        for number, each in enumerate(found):
            parent = numbers.get(each.get("parent_id"), 0)
            parents = (found[parent if parent < number else 0]["id"],) if number else ()
            _take_over(each, number, parents, state, record)
        record("run_finished", sync=True, reason=f"taken over from {checkpoint.name}")
    return len(found) - 1


def _take_over(
    found: Mapping[str, Any], number: int, parents: tuple[str, ...], state: State, record: Recorder
) -> None:
    islands = state.config.database.num_islands
    program = Program(
        found["id"],
        found["code"],
        number,
        island=found["island"] % islands,
        parent_ids=parents,
        generation=found.get("generation") or 0,
        changes=str((found.get("metadata") or {}).get("changes") or ""),
        changes_description=found.get("changes_description") or "",
    )
    outcome = Outcome(program.id, found["metrics"], _artifacts(found))
    record("proposed", program=program.to_json(), proposer=PROPOSER, model="", problem="")
    record("measured", iteration=number, outcome=outcome.to_json())
    record("committed", iteration=number, duplicate_of=state.member_like(program.code))


def _programs(checkpoint: Path) -> Iterator[dict[str, Any]]:
    """All that can be read, each with its island and its finite metrics, the oldest first."""
    try:
        metadata = json.loads((checkpoint / "metadata.json").read_text(encoding="utf-8"))
        islands = {name: place for place, names in enumerate(metadata.get("islands", [])) for name in names}
        read = [json.loads(path.read_text(encoding="utf-8")) for path in checkpoint.glob("programs/*.json")]
        read.sort(key=lambda each: (each.get("iteration_found", 0), each.get("timestamp", 0.0), each["id"]))
        for each in read:
            metrics = {name: float(v) for name, v in each["metrics"].items() if isinstance(v, int | float)}
            finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
            if isinstance(each["id"], str) and isinstance(each["code"], str):
                yield each | {"metrics": finite, "island": islands.get(each["id"], 0)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{checkpoint}: expected a checkpoint of OpenEvolve's, found one that cannot be read: {error!r}"
        ) from None


def _has_a_score(found: Mapping[str, Any], state: State) -> bool:
    program = Program(found["id"], found["code"], 0, 0)
    try:
        state.population.check(Elite(program, found["metrics"]))
    except ValueError:
        return False
    return bool(found["code"])


def _artifacts(found: Mapping[str, Any]) -> dict[str, str]:
    try:
        artifacts = json.loads(found.get("artifacts_json") or "{}")
    except ValueError:
        return {}
    return {str(name): text for name, text in artifacts.items() if isinstance(text, str)}
