"""Which workers are there: read from their signs of life."""

import time
from collections.abc import Callable, Mapping

from openevolve.evaluating.channel import Unusable
from openevolve.evaluating.remote.folder import SharedFolder
from openevolve.evaluating.remote.messages import WorkerBeat
from openevolve.evaluating.remote.pulse import Watch

_SECONDS = 0.5  # for which what was read is good enough


class Roll:
    """The workers of a shared folder, as their last beats have them."""

    def __init__(
        self, folder: SharedFolder, protocol: str, lease: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._protocol = protocol
        self._lease = lease
        self._clock = clock
        self._watch = Watch(clock)
        self._read_at = -_SECONDS
        self._alive: dict[str, WorkerBeat] = {}
        self._refused: set[str] = set()

    def alive(self) -> Mapping[str, WorkerBeat]:
        """By name: those that have beaten within a lease, measure by our protocol and were not refused."""
        if self._clock() - self._read_at >= _SECONDS:
            self._read_at = self._clock()
            self._read()
        return self._alive

    def slots(self) -> int:
        return sum(beat.slots for beat in self.alive().values())

    def silent(self, worker: str) -> float:
        """Seconds without a sign of life, as far as this process has seen."""
        return self._watch.silent(worker, self._beat_of(worker))

    def refuse(self, worker: str, reason: str) -> None:
        """Want no more of it; it reads why, and ends."""
        self._refused.add(worker)
        self._alive.pop(worker, None)
        self._folder.write("workers", f"{worker}.refused", reason.encode())

    def is_refused(self, worker: str) -> bool:
        return worker in self._refused

    def _read(self) -> None:
        found = {}
        for name in self._folder.names("workers"):
            worker, _, kind = name.rpartition(".")
            if kind == "refused":
                self._refused.add(worker)
            elif (beat := self._parsed(worker)) and self._watch.silent(worker, beat.beat) < self._lease:
                found[worker] = beat
        self._alive = {
            worker: beat
            for worker, beat in found.items()
            if worker not in self._refused and beat.protocol == self._protocol
        }

    def _beat_of(self, worker: str) -> int | None:
        beat = self._parsed(worker)
        return beat.beat if beat else None

    def _parsed(self, worker: str) -> WorkerBeat | None:
        try:
            return WorkerBeat.read(self._folder.read("workers", f"{worker}.json") or b"")
        except Unusable:
            return None
