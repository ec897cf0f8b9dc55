"""How the loop's time, memory and checkpoints grow with the programs that it holds."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.overhead.measurement import Engine
from benchmarks.overhead.timeline import Sample

CHECKPOINT_INTERVAL = 1000
ITERATIONS = (500, 1500, 2500, 5500, 10_500, 19_500)  # half-way between two checkpoints
_HALF_WINDOW = 100


@dataclass(frozen=True)
class Point:
    """The loop around one iteration."""

    iteration: int
    programs: int  # held
    milliseconds: float  # an iteration, by the clock: the median
    cpu: float  # milliseconds an iteration, on a core: the mean
    memory_mb: float  # resident
    checkpoint: float  # seconds of the next one


def measure(settings: Sequence[str]) -> list[Point]:
    """Run the loop once over all of ``ITERATIONS``."""
    engine = Engine(
        [sys.executable, "-m", "benchmarks.overhead.ours", "loop"],
        ITERATIONS[-1] + CHECKPOINT_INTERVAL // 2 + _HALF_WINDOW + 2,
        [f"checkpoint_interval={CHECKPOINT_INTERVAL}", *settings],
    )
    engine.run()
    [samples] = engine.timelines
    return [_point(samples, iteration) for iteration in ITERATIONS]


def _point(samples: Sequence[Sample], iteration: int) -> Point:
    around = samples[iteration - _HALF_WINDOW : iteration + _HALF_WINDOW + 1]
    median = statistics.median(_seconds(around))
    written = iteration + CHECKPOINT_INTERVAL // 2
    [with_checkpoint] = _seconds(samples[written - 1 : written + 1])
    return Point(
        iteration=iteration,
        programs=samples[iteration].programs,
        milliseconds=1e3 * median,
        cpu=1e3 * (around[-1].cpu_seconds - around[0].cpu_seconds) / (len(around) - 1),
        memory_mb=samples[iteration].memory_mb,
        checkpoint=with_checkpoint - median,
    )


def _seconds(samples: Sequence[Sample]) -> list[float]:
    return [after.seconds - before.seconds for before, after in pairwise(samples)]
