"""The folder that driver and workers share: every step is one rename, so that nothing is ever half there.

    protocol.json            how programs are measured
    driver.json              the driver's signs of life
    workers/NAME.json        a worker's, with its slots and how far its evaluations are
    workers/NAME.refused     why the driver wants no more of it
    queue/SEQUENCE-ORDER     orders that wait; claimed by renaming them to
    claimed/ORDER@CLAIM      ...which the driver renames to withdraw them, to
    withdrawn/ORDER@CLAIM    ...removed by the worker once nothing of the evaluation is left
    rungs/CLAIM.NUMBER       what an evaluation knows after a rung; answered by
    verdicts/CLAIM.NUMBER
    results/ORDER            moved by the driver to
    taken/ORDER              ...where a driver that was killed before it wrote its journal finds it again
    unusable/ORDER@WORKER    what was no result

A claim is ``WORKER.NUMBER``: which worker, and its how-manieth.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from openevolve.evaluating.channel import MESSAGE_BYTES

PARTS = (
    "workers", "queue", "claimed", "withdrawn", "rungs", "verdicts", "results", "taken", "unusable", "drafts",
)  # fmt: skip

FRONT = "00000000"  # of the queue: what was begun once goes first


class SharedFolder:
    """Files in the parts of one folder; names never hold a slash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self) -> None:
        """Closed to others: whoever can write here decides what workers run. Raises OSError."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        self.root.mkdir(mode=0o700, exist_ok=True)
        for part in PARTS:
            (self.root / part).mkdir(exist_ok=True)

    def path(self, part: str, name: str) -> Path:
        return self.root / part / name

    def names(self, part: str) -> list[str]:
        """Sorted; none where the folder is not there."""
        try:
            return sorted(os.listdir(self.root / part))
        except FileNotFoundError:
            return []

    def write(self, part: str, name: str, content: bytes, *, lasting: bool = False) -> None:
        """The whole file or none; ``lasting``: on disk before it is seen. Raises OSError."""
        draft = self.root / "drafts" / f"{os.getpid()}-{uuid4().hex}"
        try:
            with open(draft, "xb") as file:
                file.write(content)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(draft, self.root / part / name)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise

    def read(self, part: str, name: str) -> bytes | None:
        """None where it is not there; never more than one byte beyond what a message may have."""
        try:
            descriptor = os.open(self.root / part / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            return file.read(MESSAGE_BYTES + 1)

    def move(self, part: str, name: str, to: str, new_name: str) -> bool:
        """Whether it was there to be moved, and by nobody else meanwhile."""
        target = self.root / to / new_name
        try:
            os.rename(self.root / part / name, target)
        except FileNotFoundError:
            # A server's answer may get lost, and the rename is tried again by the system: look.
            return to == "claimed" and target.exists()
        return True

    def remove(self, part: str, name: str) -> bool:
        try:
            os.unlink(self.root / part / name)
        except FileNotFoundError:
            return False
        return True

    def claims_of(self, order: str) -> Iterator[str]:
        """File names in ``claimed`` of an order."""
        return (name for name in self.names("claimed") if name.startswith(f"{order}@"))


def order_of(name: str) -> str:
    """Of a file in ``queue`` or ``claimed``."""
    return name.rpartition("-")[2].partition("@")[0] if "@" not in name else name.partition("@")[0]


def worker_of(claim: str) -> str:
    return claim.rpartition(".")[0]
