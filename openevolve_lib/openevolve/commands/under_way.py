"""What evaluations say of themselves while they last, as short lines."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from openevolve.inspect.clean import one_line
from openevolve.records.progress import Progress
from openevolve.state.journal import Event
from openevolve.state.state import State

_SHORTEST = 2.0  # seconds from which on a pace is one


@dataclass
class _Course:
    began: float
    first: float | None  # the share that was done when it was first heard of
    latest: Progress


class UnderWay:
    """Of all evaluations that run, by iteration."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._courses: dict[int, _Course] = {}

    def observe(self, event: Event, state: State) -> None:
        """Begin and forget, as the journal says."""
        name = event["event"]
        if name == "measuring":
            self._began[event["iteration"]] = time.monotonic()
        elif name in ("measured", "looked"):
            iteration = event["iteration"] if name == "measured" else state.iterations[event["program_id"]]
            self._began.pop(iteration, None)
            self._courses.pop(iteration, None)

    def told(self, iteration: int, progress: Progress) -> None:
        now = time.monotonic()
        course = self._courses.get(iteration)
        if course is None:
            self._courses[iteration] = _Course(self._began.get(iteration, now), progress.share, progress)
        else:
            course.latest = progress

    def line(self, iteration: int) -> str:
        """Such as ``pathmnist: epoch 2 of 5; 40 s so far, about 1 min 05 s left``."""
        course = self._courses[iteration]
        taken = time.monotonic() - course.began
        words = f"{one_line(course.latest.what)}; {duration(taken)} so far"
        left = _left(course, taken)
        return words if left is None else f"{words}, about {duration(left)} left"

    def lines(self) -> Iterator[tuple[int, str]]:
        """Of those that have said something."""
        for iteration in sorted(self._courses):
            yield iteration, self.line(iteration)


def _left(course: _Course, taken: float) -> float | None:
    share = course.latest.share
    if share is None or course.first is None or share <= course.first or taken < _SHORTEST:
        return None
    return taken / share * (1 - share)


def duration(seconds: float) -> str:
    """``1 h 02 min``, ``3 min 20 s`` or ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
