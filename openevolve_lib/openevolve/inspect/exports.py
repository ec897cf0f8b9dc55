"""What a run leaves for people and for OpenEvolve's tools: the best program, and checkpoints.

Both are exports: the journal alone is read on resume. A file or a folder appears whole or not at all.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openevolve.errors import RunInterrupted
from openevolve.population.database import Database
from openevolve.records.program import Elite
from openevolve.search.final import best_of, scores_of_best
from openevolve.state.journal import Event
from openevolve.state.state import State

log = logging.getLogger("openevolve")


class Exports:
    """Observes the loop: ``best/`` follows the best program, ``checkpoints/`` every so many commits."""

    def __init__(self, folder: Path, interval: int, suffix: str) -> None:
        self.folder = folder
        self._interval = interval
        self._suffix = suffix
        self._best: tuple[str, Mapping[str, float]] | None = None
        self._last_checkpoint: Path | None = None

    def observe(self, event: Event, state: State) -> None:
        """Raises RunInterrupted where the folder cannot be written."""
        if event["event"] not in ("committed", "looked"):
            return
        try:
            self._export(state)
            if event["event"] == "committed":
                self._export_checkpoint(state)
        except OSError as error:
            raise RunInterrupted(
                f"{self.folder}: expected room to export the best program and checkpoints, found: "
                f"{error.strerror}. The journal is intact: mend this and resume."
            ) from None

    def _export(self, state: State) -> None:
        best, scores = best_of(state), scores_of_best(state)
        if best and (best.id, scores) != self._best:
            self._best = best.id, scores
            write_best(self.folder / "best", best, self._suffix, scores)

    def _export_checkpoint(self, state: State) -> None:
        committed = len(state.committed) - 1  # the initial program is none of the iterations
        if committed and committed % self._interval == 0:
            self.checkpoint(committed, state.population)

    def checkpoint(self, iteration: int, population: Database) -> Path:
        """Export the archive as ``checkpoint_<iteration>``; one that is there already stays."""
        target = self.folder / "checkpoints" / f"checkpoint_{iteration}"
        if not target.exists():
            draft = target.with_name(f".{target.name}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            archive = population.archive()
            self._write_programs(draft / "programs", archive)
            write_best(draft, population.best()[0], self._suffix)
            _write_json(draft / "metadata.json", _metadata(iteration, population, archive))
            os.replace(draft, target)
            log.info("checkpoint %s", target)
        self._last_checkpoint = target
        return target

    def _write_programs(self, folder: Path, archive: list[Elite]) -> None:
        """A file for each program; what the checkpoint before holds already is linked, not copied."""
        folder.mkdir(parents=True)
        known = f"{self._last_checkpoint}/programs/" if self._last_checkpoint else ""
        for elite in archive:
            name = f"{elite.id}.json"
            try:
                os.link(known + name, f"{folder}/{name}")
            except OSError:  # new since then, deleted by hand, or a file system without links
                _write_json(folder / name, program_info(elite) | {"code": elite.program.code})


def program_info(elite: Elite) -> dict[str, Any]:
    """What OpenEvolve's files say of a program."""
    program = elite.program
    return {
        "id": program.id,
        "parent_id": program.parent_ids[0] if program.parent_ids else None,
        "generation": program.generation,
        "iteration_found": program.iteration,
        "metrics": dict(elite.metrics),
        "metadata": {
            "island": program.island,
            "changes": program.changes,
            "parent_ids": list(program.parent_ids),
        },
    }


def _metadata(iteration: int, population: Database, archive: list[Elite]) -> dict[str, Any]:
    exported = {elite.id for elite in archive}
    return {
        "last_iteration": iteration,
        "best_program_id": population.best()[0].id,
        "islands": [sorted(exported.intersection(island.members)) for island in population.islands],
        "island_best_programs": [island.ranked[0][-1] for island in population.islands],
        "island_feature_maps": [
            {"-".join(map(str, cell)): holder for cell, holder in sorted(island.cells.items())}
            for island in population.islands
        ],
        "archive": [elite.id for elite in population.best(population.config.archive_size)],
        "features": {axis.name: list(axis.edges) for axis in population.axes},
        "stats": asdict(population.stats()),
    }


def write_best(folder: Path, elite: Elite, suffix: str, scores: Mapping[str, float] | None = None) -> None:
    """``best_program<suffix>`` and ``best_program_info.json``, with ``scores`` where a final gave some."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"best_program{suffix}", elite.program.code)
    info = program_info(elite) | ({"scores": dict(scores)} if scores else {})
    _write_json(folder / "best_program_info.json", info)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, json.dumps(content, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
