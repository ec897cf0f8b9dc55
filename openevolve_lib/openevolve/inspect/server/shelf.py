"""The runs of a folder, by name, each read once and then followed."""

from pathlib import Path
from threading import Lock
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.live import LiveRun
from openevolve.inspect.questions import status
from openevolve.inspect.reading import all_runs, find_journal


class Shelf:
    """Names are those of folders, with ``~`` for each ``/`` below the root: no path is ever asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runs: dict[str, LiveRun] = {}
        self._registered: dict[str, Path] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Of all runs, the latest name first."""
        return sorted(self._folders(), reverse=True)

    def _folders(self) -> dict[str, Path]:
        own = [self.root] if (self.root / "journal.jsonl").is_file() else []
        return {self._name(folder): folder for folder in (*own, *all_runs(self.root))} | self._registered

    def _name(self, folder: Path) -> str:
        return "~".join(folder.relative_to(self.root).parts) or self.root.resolve().name

    def run(self, name: str) -> LiveRun:
        """By its name, or by the unique beginning of it or of its last part. Raises UserError."""
        folders = self._folders()
        begins = [
            each
            for each in folders
            if name and (each.startswith(name) or each.split("~")[-1].startswith(name))
        ]
        found = [name] if name in folders else begins
        if len(found) != 1:
            raise UserError(f"{name}: expected one run of {len(folders)}, found {len(found)} of that name")
        with self._lock:
            if found[0] not in self._runs:
                self._runs[found[0]] = LiveRun(find_journal(str(folders[found[0]])))
            return self._runs[found[0]]

    def latest(self) -> str:
        """The name of the run that was written last. Raises UserError where there is none."""
        names = self.names()
        if not names:
            raise UserError(f"{self.root}: expected a folder with runs, found none yet")
        return max(names, key=lambda name: self.run(name).journal.stat().st_mtime)

    def register(self, path: str) -> str:
        """Serve a run that lies deeper below the root; returns its name. Raises UserError."""
        root = self.root.resolve()
        folder = (root / path).resolve()
        if not folder.is_relative_to(root):
            raise UserError(f"{path}: expected a folder below {self.root}, found one elsewhere")
        find_journal(str(folder))
        found = self.root / folder.relative_to(root)
        name = self._name(found)
        self._registered[name] = found
        return name

    def summary(self, name: str) -> dict[str, Any]:
        """A run that cannot be read is a line of its own among the others."""
        try:
            return {"name": name, **self.run(name).ask(status)}
        except UserError as error:
            return {"name": name, "problem": str(error)}
