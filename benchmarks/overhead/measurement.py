"""One engine's figures, from the timelines of its runs."""

import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead.timeline import Sample, read_timeline

POPULATIONS = (50, 200, 800, 2000)  # programs held
HALF_WINDOW = 20  # programs before and after
_TEN = 10  # iterations timed together: they come in bursts, and every tenth writes a checkpoint
_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Window:
    """The iterations in which an engine's population passed one size; milliseconds an iteration."""

    tens: list[float]  # by the clock, one for every ten iterations
    cpu: float  # of the engine's main process on a core
    memory_mb: float  # resident, of the engine's main process


def window(programs: int, samples: Sequence[Sample]) -> Window | None:
    """None where the run did not get past this population."""
    first = _first_holding(programs - HALF_WINDOW, samples)
    last = _first_holding(programs + HALF_WINDOW, samples)
    if first is None or last is None:
        return None
    seconds = [sample.seconds for sample in samples[first : last + 1]]
    tens = [seconds[i + _TEN] - seconds[i] for i in range(0, len(seconds) - _TEN, _TEN)]
    cpu_seconds = samples[last].cpu_seconds - samples[first].cpu_seconds
    return Window(
        tens=[1e3 * ten / _TEN for ten in tens],
        cpu=1e3 * cpu_seconds / (last - first),
        memory_mb=samples[last].memory_mb,
    )


def _first_holding(programs: int, samples: Sequence[Sample]) -> int | None:
    return next((i for i, sample in enumerate(samples) if sample.programs >= programs), None)


@dataclass(frozen=True)
class Figures:
    """All runs of an engine at one population; milliseconds an iteration."""

    runs: list[float]  # the median of each
    tens: list[float]  # of all runs, rising
    cpu: float
    memory_mb: float

    @property
    def milliseconds(self) -> float:
        """The median of all tens."""
        return statistics.median(self.tens)


class Engine:
    """A command that runs one engine, and what its runs showed."""

    def __init__(self, command: Sequence[str], programs: int, settings: Sequence[str] = ()) -> None:
        """``command`` takes a folder, the number of programs at which it stops, and ``settings``."""
        self._command = command
        self._programs = programs
        self._settings = settings
        self.timelines: list[list[Sample]] = []
        self.disk_mb: list[float] = []  # of each run's folder when it ended

    def run(self) -> None:
        """Run it once, in a new process and a folder of its own."""
        with tempfile.TemporaryDirectory(prefix="engine_overhead_") as name:
            folder = Path(name)
            with (folder / "printed").open("w") as printed:
                subprocess.run(
                    [*self._command, name, str(self._programs), *self._settings],
                    check=False,
                    cwd=_PROJECT,
                    env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                )
            if not (folder / "timeline.json").is_file():
                tail = (folder / "printed").read_text()[-2000:]
                raise SystemExit(f"expected a finished run of {' '.join(self._command)}, found:\n{tail}")
            self.timelines.append(read_timeline(folder / "timeline.json"))
            self.disk_mb.append(_disk_mb(folder))
        os.sync()  # what this run left to write does not slow the next one

    def figures(self) -> dict[int, Figures]:
        """By population, as far as the runs came."""
        found = {}
        for programs in POPULATIONS:
            windows = [w for samples in self.timelines if (w := window(programs, samples))]
            if windows:
                found[programs] = Figures(
                    runs=[statistics.median(w.tens) for w in windows],
                    tens=sorted(ten for w in windows for ten in w.tens),
                    cpu=statistics.median(w.cpu for w in windows),
                    memory_mb=statistics.median(w.memory_mb for w in windows),
                )
        return found


def _disk_mb(folder: Path) -> float:
    """What a folder takes on the disk; a file with several links counts once."""
    blocks = {status.st_ino: status.st_blocks for status in map(Path.lstat, folder.rglob("*"))}
    return 512 * sum(blocks.values()) / 2**20
