"""How a whole run's pace and memory grow with its workers, each busy with an evaluation that waits."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead.timeline import Timeline
from openevolve.evaluating.isolation.watch import descendants

PROJECT = Path(__file__).resolve().parents[2]
_ROUNDS = 12  # evaluations on each worker
SECONDS = 0.5  # of an evaluation


@dataclass(frozen=True)
class Point:
    workers: int
    iterations_per_second: float
    share: float  # of what the workers would do if nothing but the evaluations took time
    cpu: float  # milliseconds an iteration, of the main process
    memory_mb: float  # of all processes of the run, shared pages counted once, at the most


def measure(workers: int) -> Point:
    """Run once, in a new process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="scale_") as name:
        command = [sys.executable, "-m", "benchmarks.scaling.workers", name, str(workers)]
        memory = 0.0
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                memory = max(memory, sum(map(proportional_mb, descendants(process.pid))))
                time.sleep(0.2)
        if process.returncode:
            raise SystemExit(f"expected a finished run with {workers} workers, found {process.returncode}")
        seconds, cpu_seconds = json.loads((Path(name) / "pace.json").read_text())
    iterations = (_ROUNDS - 1) * workers  # without the first of each: the fork server is starting up
    return Point(
        workers=workers,
        iterations_per_second=iterations / seconds,
        share=iterations / seconds * SECONDS / workers,
        cpu=1e3 * cpu_seconds / iterations,
        memory_mb=memory,
    )


def proportional_mb(pid: int) -> float:
    """Resident memory of a process, pages that it shares with others divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _run(folder: Path, workers: int) -> None:
    from benchmarks.overhead import ours, workload
    from openevolve.settings.files import check
    from openevolve.settings.models import Config

    settings = workload.SETTINGS | {
        "max_iterations": _ROUNDS * workers,
        "evaluator": {"parallel_evaluations": workers},
        "proposals_ahead": workers,  # a worker never waits for a proposal
    }
    timeline = Timeline()
    waits = {workload.WAIT_VARIABLE: str(SECONDS)}
    ours.run(check(Config, settings, "settings"), folder, timeline, waits)
    samples = timeline.samples
    first, last = samples[workers], samples[-1]
    pace = (last.seconds - first.seconds, last.cpu_seconds - first.cpu_seconds)
    (folder / "pace.json").write_text(json.dumps(pace))


if __name__ == "__main__":
    _run(Path(sys.argv[1]), int(sys.argv[2]))
