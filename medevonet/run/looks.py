"""Every look at a test split is counted: a figure that was looked at often is worth less.

Looks are kept in ``run_info.json`` as ``looks_at_test_split``, one entry each: when, by which command and at
which programs. What belongs to no run is counted in ``looks.json`` beside its artifacts.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medevonet.run.info import read_run_info, replace_run_info
from openevolve.errors import UserError

LOOKS = "looks_at_test_split"


def run_of(path: Path) -> Path | None:
    """The run directory that a file lies in."""
    folders = path.resolve().parents
    return next((folder for folder in folders if (folder / "run_info.json").is_file()), None)


def count_look(place: Path, by: str, programs: Sequence[str]) -> int:
    """Count one look by a command at programs (their ids or files) in the run that ``place`` is or lies in,
    or in ``looks.json`` of the folder; returns how many there have been. Raises UserError.

    To be called before the labels are read: what fails afterwards has been a look all the same.
    """
    run = place if (place / "run_info.json").is_file() else run_of(place)
    folder = run or (place if place.is_dir() else place.parent)
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "by": by, "programs": list(programs)}
    with _alone(folder):
        kept: dict[str, Any] = read_run_info(run) if run else _kept(folder)
        kept[LOOKS] = [*kept.get(LOOKS, []), entry]
        if run:
            replace_run_info(run, kept)
        else:
            _write(folder / "looks.json", kept)
    return len(kept[LOOKS])


def looks(run: Path) -> list[dict[str, Any]]:
    """All looks so far, first to last. Raises UserError."""
    found: list[dict[str, Any]] = read_run_info(run).get(LOOKS, [])
    return found


def refuse_during_a_run(run: Path) -> None:
    """The test split stays closed while a search goes on: UserError where a process writes the journal."""
    try:
        lock = os.open(run / "openevolve" / "journal.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{run}: expected a run that has ended, found one that goes on: its test split stays closed. "
            "Wait for its end, or look at the validation split"
        ) from None
    finally:
        os.close(lock)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process counts in this folder meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".looks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UserError(
            f"{folder}: expected a folder where looks at the test split can be counted, found: "
            f"{error.strerror}. Make it writable, or look at the validation split"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _kept(folder: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads((folder / "looks.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'looks.json'}: expected the looks so far, found: {error}") from None
    return kept


def _write(path: Path, kept: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, path)
