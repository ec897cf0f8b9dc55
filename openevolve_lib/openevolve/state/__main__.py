"""What a journal holds: ``python -m openevolve.state RUN`` rebuilds a running, finished or killed run."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.state.replay import replay
from openevolve.state.state import State


def description(state: State) -> dict[str, Any]:
    """Archive, islands and best of a run, as JSON values: equal states, equal descriptions."""
    population = state.population
    return {
        "sessions": state.sessions,
        "finished": state.finished,
        "chosen": state.next_iteration,
        "measured": len(state.outcomes),
        "committed": state.committed,
        "failures": dict(sorted(state.failures.items())),
        "best": [
            {"id": elite.id, "iteration": elite.program.iteration, "metrics": dict(elite.metrics)}
            for elite in population.best()
        ],
        "archive": {_cell(cell): key[-1] for cell, key in sorted(population.archive_cells.items())},
        "islands": [
            {
                "cells": {_cell(cell): island.cells[cell] for cell in island.occupied},
                "members": [key[-1] for key in island.ranked],
            }
            for island in population.islands
        ],
    }


def _cell(cell: tuple[int, ...]) -> str:
    return "-".join(map(str, cell))


def journal_of(run: Path) -> Path:
    """The journal of a run's folder, or the journal itself."""
    places = [run, run / "journal.jsonl", run / "openevolve" / "journal.jsonl"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f"{run}: expected a run's folder or its journal.jsonl, found neither")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m openevolve.state", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, or its journal.jsonl")
    try:
        state = replay(journal_of(parser.parse_args().run))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(description(state), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
