"""Signs of life, without any clock that two machines would have to agree on.

Who lives writes a file again and again, with a number that grows. Who watches looks whether the number
has changed, and measures by its own monotonic clock for how long it has not.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

Clock = Callable[[], float]


class Pulse:
    """Calls ``beat`` with 1, 2, 3 ... from a thread of its own, until it is stopped."""

    def __init__(self, beat: Callable[[int], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._ended = threading.Event()
        self._count = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Raises what the first beat raises."""
        self.now()
        self._thread.start()

    def now(self) -> None:
        """A beat out of turn."""
        with self._lock:
            self._count += 1
            self._beat(self._count)

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            with suppress(OSError):  # missed: the next may come through, and a lease bears several
                self.now()


class Watch:
    """For how long each of many has given no sign of life."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def silent(self, name: str, beat: object) -> float:
        """Seconds for which ``beat`` has been what it is now; 0 when it is new."""
        now = self._clock()
        known = self._seen.get(name)
        if known is None or known[0] != beat:
            self._seen[name] = (beat, now)
            return 0.0
        return now - known[1]

    def forget(self, name: str) -> None:
        self._seen.pop(name, None)
