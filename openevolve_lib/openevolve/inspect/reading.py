"""Finding a run and reading it, whether it is running, finished or was killed. Nothing of it is touched."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.account import Account
from openevolve.state.journal import Event, read_journal
from openevolve.state.replay import fold
from openevolve.state.state import State

RUNS = Path("runs")
LATEST = RUNS / "mnist" / "latest"


@dataclass(frozen=True)
class Run:
    """What is known of a run."""

    folder: Path  # with run_info.json, where there is one; else with the journal
    journal: Path
    state: State
    account: Account
    info: Mapping[str, Any]  # run_info.json: machine, versions, commands; empty where there is none
    running: bool  # whether a process writes the journal
    known: dict[str, Any] = field(default_factory=dict)  # what readers have worked out; see ``facts``

    @property
    def standing(self) -> str:
        """In words: running, how it ended, or that it was cut off."""
        if self.running:
            return "running, paused" if self.state.paused else "running"
        return self.state.finished or "cut off: no process writes it, and it has no end"


def read_run(name: str | None = None) -> Run:
    """A run by its folder, its journal, or the beginning of its name; None is the latest.

    Raises:
        UserError: no such run, several, a journal that is empty, damaged or of another version.
    """
    journal = find_journal(name)
    state, account = State(), Account()
    fold(state, also(read_journal(journal), account, state))
    if not state.sessions:
        raise UserError(f"{journal}: expected a run that has begun, found no event yet; look again later")
    folder = folder_of(journal)
    return Run(folder, journal, state, account, info_of(folder), is_written(journal))


def also(events: Iterator[Event], account: Account, state: State) -> Iterator[Event]:
    """The events; ``account`` takes each in once the state has, since a fold asks for the next only then."""
    for event in events:
        yield event
        account.apply(event, state)


def folder_of(journal: Path) -> Path:
    """With run_info.json, where there is one; else with the journal."""
    folder = journal.parent
    if folder.name == "openevolve" and (folder.parent / "run_info.json").is_file():
        return folder.parent
    return folder


def find_journal(name: str | None) -> Path:
    """Raises UserError where there is none, or more than one."""
    given = LATEST if name is None else Path(name)
    if given.is_file():
        return given
    if given.is_dir():
        return _journal_in(given)
    found = [] if name is None else sorted(_runs_named(name))
    if len(found) == 1:
        return _journal_in(found[0])
    if found:
        raise UserError(
            f"{name}: expected the beginning of one run's name, found {len(found)}: "
            + ", ".join(str(folder) for folder in found[:5])
        )
    known = ", ".join(str(folder) for folder in all_runs()[-5:]) or f"no run in {RUNS}/"
    raise UserError(f"{given}: expected a run's folder or the beginning of its name, found {known}")


def all_runs(root: Path = RUNS) -> list[Path]:
    """The folders below ``root`` that hold a run, by name; links such as ``latest`` are left out."""
    folders = [path for path in sorted(root.glob("*/*")) + sorted(root.glob("*")) if not path.is_symlink()]
    folders = [path for path in folders if path.name != "openevolve"]  # inside of a run's folder
    return [folder for folder in folders if any(place.is_file() for place in _places(folder))]


def _runs_named(name: str) -> Iterator[Path]:
    for folder in all_runs():
        if folder.name.startswith(name) or str(folder).startswith(name):
            yield folder


def _places(folder: Path) -> tuple[Path, Path]:
    # A folder with run_info.json is named "openevolve" inside, and nothing else is.
    return folder / "openevolve" / "journal.jsonl", folder / "journal.jsonl"


def _journal_in(folder: Path) -> Path:
    found = next((place for place in _places(folder) if place.is_file()), None)
    if found is None:
        raise UserError(
            f"{folder}: expected a run's folder (with journal.jsonl in it, or in openevolve/), found "
            + ("an empty folder" if not any(folder.iterdir()) else "something else")
        )
    return found


def info_of(folder: Path) -> Mapping[str, Any]:
    """Raises UserError where the file is there and is none of a run."""
    path = folder / "run_info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON on a run, found: {error}") from None
    if not isinstance(info, dict):
        raise UserError(f"{path}: expected a JSON object on a run, found {type(info).__name__}")
    return info


def is_written(journal: Path) -> bool:
    """Whether a process of this machine holds the journal's lock, which is looked at and not tried.

    Trying it would for a moment keep a run from starting.
    """
    lock = journal.with_suffix(".lock")
    try:
        owner, inode = lock.read_text(errors="replace").strip(), lock.stat().st_ino
        locks = Path("/proc/locks").read_text()
    except OSError:
        return False
    fields = [line.replace("->", "").split() for line in locks.splitlines()]
    return any(
        len(line) > 5 and line[1] == "FLOCK" and line[4] == owner and line[5].endswith(f":{inode}")
        for line in fields
    )
