"""The pace of a whole run whose evaluations wait half a second each, on workers or on Ray."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.scaling.workers import PROJECT, SECONDS, Point, proportional_mb
from openevolve.evaluating.isolation.watch import descendants

_WINDOW = 15.0  # seconds that are measured, once all slots are there
_SLOTS = 8  # of one worker process, at most: its fork server and loop serve all of them
_PATIENCE = 300.0


def measure(slots: int, executor: str, window: float = _WINDOW) -> Point:
    """One run with so many slots, from the moment when all of them are there."""
    with tempfile.TemporaryDirectory(prefix="scale_") as name, ExitStack() as stack:
        folder = Path(name)
        command = [sys.executable, "-m", "benchmarks.scaling.away", name, str(slots), executor]
        run = stack.enter_context(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL))
        workers = [stack.enter_context(process) for process in _workers(folder, slots, executor)]
        _wait(lambda: run.poll() is not None or _begun(folder, slots, executor))
        start = time.perf_counter()
        time.sleep(window)
        mine = [run.pid, *(worker.pid for worker in workers)]
        memory = sum(proportional_mb(pid) for pid in {p for pid in mine for p in (pid, *descendants(pid))})
        end = time.perf_counter()
        run.send_signal(signal.SIGINT)  # it finishes what it is at
        if run.wait(_PATIENCE) not in (0, 130):
            raise SystemExit(f"expected a run with {slots} slots, found exit status {run.returncode}")
        samples = json.loads((folder / "pace.json").read_text())
    within = [sample for sample in samples if start <= sample[0] <= end]
    pace = (len(within) - 1) / (within[-1][0] - within[0][0])
    cpu = 1e3 * (within[-1][1] - within[0][1]) / (len(within) - 1)
    return Point(slots, pace, pace * SECONDS / slots, cpu, memory)


def _workers(folder: Path, slots: int, executor: str) -> list["subprocess.Popen[bytes]"]:
    if executor != "workers":
        return []
    command = [str(Path(sys.executable).with_name("openevolve")), "worker", str(folder)]
    shares = [min(_SLOTS, slots - first) for first in range(0, slots, _SLOTS)]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return [
        subprocess.Popen([*command, "--slots", str(share)], env=environment, stdout=subprocess.DEVNULL)
        for share in shares
    ]


def _begun(folder: Path, slots: int, executor: str) -> bool:
    """Whether every slot has measured twice: what starts up has started."""
    try:
        count = (folder / "journal.jsonl").read_bytes().count(b'"event":"measured"')
        beats = [json.loads(path.read_text()) for path in (folder / "workers/workers").glob("*.json")]
    except OSError:
        return False
    there = executor != "workers" or sum(beat["slots"] for beat in beats) == slots
    return there and count > 2 * slots


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"expected a run under way within {_PATIENCE:g} s, found none")
        time.sleep(0.2)


def _run(folder: Path, slots: int, executor: str) -> None:
    from benchmarks.overhead import ours, workload
    from benchmarks.overhead.timeline import Timeline
    from openevolve.settings.files import check
    from openevolve.settings.models import Config

    settings = workload.SETTINGS | {
        "executor": executor,
        "max_iterations": 1_000_000,
        "checkpoint_interval": 1_000_000,
        "evaluator": {"parallel_evaluations": slots},
        "proposals_ahead": slots,  # no slot waits for a proposal
        "strategies": {"ray": {"num_cpus": 1}} if executor == "ray" else {},
    }
    timeline = Timeline()
    waits = {workload.WAIT_VARIABLE: str(SECONDS)}
    ours.run(check(Config, settings, "settings"), folder, timeline, waits)
    (folder / "pace.json").write_text(json.dumps([sample[:2] for sample in timeline.samples]))


if __name__ == "__main__":
    _run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
