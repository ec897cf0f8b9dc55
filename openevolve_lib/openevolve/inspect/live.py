"""A run that may still grow, read again and again at the cost of what is new."""

from pathlib import Path
from threading import Lock
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.description import overview
from openevolve.inspect.facts import Fact, facts
from openevolve.inspect.folding import Folded
from openevolve.inspect.reading import Run, folder_of, info_of, is_written
from openevolve.inspect.snapshot import Snapshot

_ESTIMATES = ("estimate", "estimate_error")  # every new score moves those of all


class LiveRun:
    """One reader of a journal, for many who look. Safe to share between threads."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._lock = Lock()
        self._folded: Folded | None = None
        self._kept: Snapshot | None = None
        self._known: dict[str, Any] = {}
        self._rows: dict[int, tuple[int, Fact]] = {}  # by iteration: since which event, without estimates
        self._overview: tuple[tuple[int, bool, bool], dict[str, Any]] | None = None
        self._stamped = -1  # the event that the rows are of

    def read(self) -> Run:
        """The run as it is now. Raises UserError as ``reading.read_run`` does."""
        with self._lock:
            return self._read()

    def _read(self) -> Run:
        if self._folded is None:
            self._kept = Snapshot.of(self.journal)
            self._folded = Folded.of(self.journal, self._kept)
        else:
            self._folded.advance()
        if not self._folded.state.sessions:
            raise UserError(f"{self.journal}: expected a run that has begun, found no event yet")
        folder, events = folder_of(self.journal), self._folded.account.events
        kept = self._kept if self._kept is not None and self._kept.events == events else None
        return Run(
            folder, self.journal, events, info_of(folder), is_written(self.journal), self._known, kept,
            self._folded,
        )  # fmt: skip

    def page(self, since: int) -> dict[str, Any]:
        """What the page shows, with the programs that changed after the event number ``since``.

        ``at`` is the number to ask with next, ``bytes`` how much of the journal that is; ``estimates`` has
        (iteration, estimate, error) of all.
        """
        with self._lock:
            run = self._read()
            rows = facts(run)
            self._stamp(rows, run.events)
            return {
                "at": run.events,
                "bytes": run.folded.tail.offset if run.folded else 0,
                "overview": self._overview_of(run),
                "programs": [row for row in rows if self._rows[row["iteration"]][0] > since],
                "estimates": [
                    (row["iteration"], row["estimate"], row["estimate_error"])
                    for row in rows
                    if row["estimate"] is not None
                ],
            }

    def _overview_of(self, run: Run) -> dict[str, Any]:
        at = run.events, run.running, (run.folder / "confirmation.json").exists()
        if self._overview is None or self._overview[0] != at:
            self._overview = at, overview(run)
        return self._overview[1]

    def _stamp(self, rows: list[Fact], at: int) -> None:
        if self._stamped == at:
            return
        for row in rows:
            bare = {name: value for name, value in row.items() if name not in _ESTIMATES}
            known = self._rows.get(row["iteration"])
            if known is None or known[1] != bare:
                self._rows[row["iteration"]] = (at, bare)
        self._stamped = at

    def ask(self, question: Any) -> Any:
        """The answer of a function of a run, while nothing moves. Raises UserError."""
        with self._lock:
            return question(self._read())
