"""Finding a run and reading it, whether it is running, finished or was killed. Nothing of it is touched."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from openevolve.errors import UserError
from openevolve.inspect.snapshot import Snapshot

if TYPE_CHECKING:  # what is heavy is imported where it is needed: most questions are answered without
    from openevolve.inspect.account import Account
    from openevolve.inspect.folding import Folded
    from openevolve.state.state import State

RUNS = Path("runs")
LATEST = RUNS / "mnist" / "latest"


@dataclass
class Run:
    """What is known of a run."""

    folder: Path  # with run_info.json, where there is one; else with the journal
    journal: Path
    events: int  # so many are known
    info: Mapping[str, Any]  # run_info.json: machine, versions, commands; empty where there is none
    running: bool  # whether a process writes the journal
    known: dict[str, Any] = field(default_factory=dict)  # what readers have worked out; see ``worked_out``
    kept: "Snapshot | None" = None  # what an earlier reader has
    folded: "Folded | None" = None  # what the events come to, once somebody has asked for it

    @property
    def state(self) -> "State":
        """The fold of all events, which takes seconds where nobody has kept it."""
        return self._folded().state

    @property
    def account(self) -> "Account":
        return self._folded().account

    def _folded(self) -> "Folded":
        if self.folded is None:
            from openevolve.inspect.folding import Folded

            self.folded = Folded.of(self.journal, self.kept)
        return self.folded


T = TypeVar("T")


def worked_out(run: Run, name: str, work: Callable[[Run], T]) -> T:
    """What ``work(run)`` gives, once for as long as the run does not grow: callers change nothing of it."""
    if run.known.get("at") != run.events:
        run.known.clear()
        run.known["at"] = run.events
    if name not in run.known:
        kept = run.kept if run.kept is not None and name in run.kept else None
        run.known[name] = kept[name] if kept is not None else work(run)
    found: T = run.known[name]
    return found


def read_run(name: str | None = None) -> Run:
    """A run by its folder, its journal, or the beginning of its name; None is the latest.

    Raises:
        UserError: no such run, several, a journal that is empty, damaged or of another version.
    """
    journal = find_journal(name)
    kept = Snapshot.of(journal)
    if kept is not None and kept.is_whole:
        folded, events = None, kept.events
    else:
        from openevolve.inspect.folding import Folded

        folded = Folded.of(journal, kept)
        events, kept = folded.account.events, None
        if not folded.state.sessions:
            raise UserError(f"{journal}: expected a run that has begun, found no event yet; look again later")
    folder = folder_of(journal)
    return Run(folder, journal, events, info_of(folder), is_written(journal), kept=kept, folded=folded)


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
