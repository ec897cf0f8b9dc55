"""What a process and all that it started take: memory, processes, threads, files, bytes written."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from openevolve.evaluating.isolation.walls import Walls

OUT_OF_MEMORY, FORBIDDEN = "out_of_memory", "forbidden"


@dataclass(frozen=True)
class Excess:
    """A limit that was passed: why the server kills a child."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ResourceLimits:
    """What a child may take together with its descendants."""

    memory: int | None  # bytes of resident memory
    walls: Walls | None
    folder: Path

    def excess(self, family: Sequence[int]) -> Excess | None:
        """The first limit that the processes ``family`` have passed."""
        if self.memory is not None:
            taken = sum(map(anonymous_bytes, family))
            if self.walls is not None and self.walls.gpu:  # others cannot make such files
                taken += bytes_in_memory_files(family)
            if taken > self.memory:
                return Excess(OUT_OF_MEMORY, "expected resident memory below the limit, found more")
        return None if self.walls is None else self._excess_within_walls(self.walls, family)

    def _excess_within_walls(self, walls: Walls, family: Sequence[int]) -> Excess | None:
        files, size = folder_usage(self.folder, walls.files)
        taken = (
            ("processes started", walls.processes, len(family) - 1),
            ("threads", walls.threads, sum(map(threads, family))),
            ("MB written", walls.written_mb, max(size, sum(map(written_bytes, family))) >> 20),
            ("files in its folder", walls.files, files),
        )
        for what, limit, found in taken:
            if found > limit:
                return Excess(FORBIDDEN, f"expected at most {limit} {what}, found {found}")
        return None


def children_of(pid: int) -> list[int]:
    """Direct children; empty once the process is gone."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def descendants(pid: int) -> list[int]:
    """``pid`` and all below it."""
    found = [pid]
    for parent in found:
        found += children_of(parent)
    return found


def anonymous_bytes(pid: int) -> int:
    """Resident memory that no file backs: shared, memory-mapped datasets do not count."""
    fields = _fields(f"/proc/{pid}/status")
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem") if name in fields)


def bytes_in_memory_files(family: Sequence[int]) -> int:
    """What is held in files of memory (memfd_create), mapped or not."""
    sizes: dict[int, int] = {}  # by inode
    for pid in family:
        with (
            suppress(FileNotFoundError, ProcessLookupError, PermissionError),
            os.scandir(f"/proc/{pid}/fd") as fds,
        ):
            for fd in fds:
                with suppress(OSError):  # closed since it was listed
                    if os.readlink(fd.path).startswith("/memfd:"):
                        status = os.stat(fd.path)
                        sizes[status.st_ino] = 512 * status.st_blocks
    return sum(sizes.values())


def threads(pid: int) -> int:
    return int(_fields(f"/proc/{pid}/status").get("Threads", 0))


def written_bytes(pid: int) -> int:
    """Bytes written since the process started, by calls or through mapped files, deleted files counted."""
    fields = _fields(f"/proc/{pid}/io")
    return max(int(fields.get("wchar", 0)), int(fields.get("write_bytes", 0)))


def folder_usage(folder: Path, limit: int) -> tuple[int, int]:
    """Files and folders below ``folder``, and their bytes on the disk (or in memory, where that is a tmpfs).

    No more are counted than one above ``limit``.
    """
    count = size = 0
    unread = [str(folder)]
    for path in unread:
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    count += 1
                    if count > limit:
                        return count, size
                    size += 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        unread.append(entry.path)
        except FileNotFoundError:
            pass  # removed since it was listed
        except OSError:  # a name too long, for one: nested deeper than any path reaches
            return limit + 1, size
    return count, size


def _fields(path: str) -> dict[str, str]:
    """``name: value`` lines of a file in /proc; none once the process is gone."""
    try:
        with open(path) as file:
            return dict(line.split(":", 1) for line in file)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
