"""What a reader has worked out of a journal, kept for the next one in the user's own cache folder.

A journal of 20,000 programs takes seconds to fold. Nobody else's file is ever believed: a snapshot lies in
a folder of this user alone, and it counts only for a journal that begins with the very bytes that it was
made of, and for the very code that made it. The run's own folder is not touched. Without room for it
everything works as before, only slower.
"""

import hashlib
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Self

_KEPT = 1 << 30  # bytes of all snapshots, the latest
_CHUNK = 1 << 22


class Snapshot:
    """Of one journal, section by section: each is read when it is asked for."""

    def __init__(self, file: BinaryIO, head: Mapping[str, Any], index: Mapping[str, tuple[int, int]]) -> None:
        self._file = file
        self._index = index
        self.events: int = head["events"]
        self.offset: int = head["offset"]  # bytes of the journal that it was made of
        self.is_whole = False  # whether the journal has no further event

    @classmethod
    def of(cls, journal: Path) -> Self | None:
        """None where there is none, or none that can be believed."""
        try:
            file = _place(journal).open("rb")
        except OSError:
            return None
        try:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise ValueError("another user's")
            head = json.loads(file.readline())
            if head["code"] != _code() or head["journal"] != str(journal.resolve()):
                raise ValueError("another code's, or another journal's")
            size, digest, rest = _digest(journal, head["offset"])
            if size != head["offset"] or digest != head["digest"]:
                raise ValueError("another journal's")
            file.seek(-8, os.SEEK_END)
            file.seek(int.from_bytes(file.read(8), "big"))
            found = cls(file, head, pickle.load(file))
        except (OSError, ValueError, LookupError, TypeError, EOFError, pickle.PickleError):
            file.close()
            return None
        found.is_whole = b"\n" not in rest
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def __getitem__(self, name: str) -> Any:
        """Raises KeyError."""
        start, length = self._index[name]
        return pickle.loads(os.pread(self._file.fileno(), length, start))


def keep(journal: Path, offset: int, events: int, sections: Iterable[tuple[str, Any]]) -> None:
    """Write a snapshot of the journal's first ``offset`` bytes, whole or not at all; it never fails."""
    with suppress(OSError, RecursionError):
        place = _place(journal)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size, digest, _ = _digest(journal, offset)
        if size != offset:
            return
        head = {"code": _code(), "journal": str(journal.resolve()), "offset": offset, "digest": digest}
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".draft-", delete=False) as draft:
            try:
                _write(draft, head | {"events": events}, sections)
                os.replace(draft.name, place)
            except BaseException:
                os.unlink(draft.name)
                raise
        _drop_old(place.parent)


def _drop_old(folder: Path) -> None:
    """Those that were written longest ago, where all are too large."""
    size = 0
    for path in sorted(folder.glob("*.snapshot"), key=lambda path: -path.stat().st_mtime):
        size += path.stat().st_size
        if size > _KEPT:
            path.unlink()


def _write(file: Any, head: Mapping[str, Any], sections: Iterable[tuple[str, Any]]) -> None:
    file.write(json.dumps(head).encode() + b"\n")
    index = {}
    for name, value in sections:
        start = file.tell()
        file.write(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        index[name] = (start, file.tell() - start)
    start = file.tell()
    file.write(pickle.dumps(index, pickle.HIGHEST_PROTOCOL) + start.to_bytes(8, "big"))


def _place(journal: Path) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode(journal.resolve())).hexdigest()[:32]
    return root / "openevolve" / f"{name}.snapshot"


def _digest(journal: Path, offset: int) -> tuple[int, str, bytes]:
    """How many of the first ``offset`` bytes there are, their SHA-256, and some of what follows."""
    found, size = hashlib.sha256(), 0
    with journal.open("rb") as file:
        while part := file.read(min(_CHUNK, offset - size)):
            found.update(part)
            size += len(part)
        return size, found.hexdigest(), file.read(_CHUNK)


@cache
def _code() -> str:
    """Of this version of the engine: its files by name, size and time."""
    folder = Path(__file__).parent.parent
    rooms = ("inspect", "population", "records", "settings", "state", "search")
    stats = [(str(path), path.stat()) for room in rooms for path in sorted((folder / room).glob("*.py"))]
    text = repr([sys.version, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]])
    return hashlib.sha256(text.encode()).hexdigest()
