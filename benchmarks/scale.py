"""How time and memory grow: with the programs in the archive, with workers, with the number of images.

    archive   the engine's loop (as in engine_overhead.py) for 20,000 programs, three times: in 100
              cells; in 40,000 cells, so that most programs are elites; and in 40,000 cells with the
              default population_size of 1,000, so that each new program asks which one to forget
    workers   whole runs with 1 to 16 workers, whose evaluations wait for half a second without using
              a core, as one does that runs on a GPU
    datasets  one dataset of 1,000 to 50,000 images of 28 px: unpacked once, looked up by every
              evaluation, memory-mapped by every candidate

Runs write where temporary files go: TMPDIR=/dev/shm leaves the disk out.

    python benchmarks/scale.py [archive] [workers] [datasets]
    python benchmarks/scale.py --executor workers|ray|local [--slots 1,8,32]
"""

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from benchmarks.scaling import archive, away, datasets, workers
from benchmarks.scaling.workers import SECONDS
from openevolve.evaluating.isolation import ForkServer

ARCHIVES = {
    "100 cells": ["database.feature_bins=10", "database.population_size=1000000"],
    "40,000 cells": ["database.feature_bins=200", "database.population_size=1000000"],
    "40,000 cells, population_size 1,000": ["database.feature_bins=200"],
}
WORKERS = (1, 2, 4, 8, 16)
IMAGES = (1_000, 10_000, 50_000)


def report_archive() -> None:
    for name, settings in ARCHIVES.items():
        print(f"\narchive of {name}, one run")
        print("iteration  programs  ms an iteration (median)  CPU ms (mean)  RSS MB  a checkpoint, s")
        points = archive.measure(settings)
        for p in points:
            print(
                f"{p.iteration:9,}{p.programs:10,}{p.milliseconds:26.2f}{p.cpu:15.2f}"
                f"{p.memory_mb:8.0f}{p.checkpoint:17.3f}"
            )
        last = points[-1].programs
        compare(name, "programs", last / points[0].programs, {
            "cpu_ms": (points[0].cpu, points[-1].cpu),
            "rss_mb": (points[0].memory_mb, points[-1].memory_mb),
        })  # fmt: skip


def report_executor(executor: str, counts: Sequence[int]) -> None:
    """Slots of workers (eight a process) or of Ray, measured once all of them are there."""
    print(f"\nslots of executor={executor}, one run each, 15 s of it")
    print(
        "slots  iterations/s  of what evaluations alone allow  overhead, ms  driver's CPU ms an iteration  MB"
    )
    for count in counts:
        p = away.measure(count, executor)
        overhead = 1e3 * (count / p.iterations_per_second - SECONDS)
        print(
            f"{p.workers:5}{p.iterations_per_second:14.2f}{p.share:33.1%}{overhead:14.0f}{p.cpu:30.2f}"
            f"{p.memory_mb:4.0f}",
            flush=True,
        )


def report_workers() -> None:
    print("\nworkers, one run each")
    print("workers  iterations/s  of what evaluations alone allow  CPU ms an iteration  all processes, MB")
    points = [workers.measure(count) for count in WORKERS]
    for p in points:
        print(
            f"{p.workers:7}{p.iterations_per_second:14.2f}{p.share:33.1%}{p.cpu:21.2f}{p.memory_mb:19.0f}",
        )
    first, last = points[0], points[-1]
    compare("workers", "workers", last.workers / first.workers, {
        "iterations_per_second": (first.iterations_per_second, last.iterations_per_second),
        "memory_mb": (first.memory_mb, last.memory_mb),
    })  # fmt: skip


def report_datasets() -> None:
    print("\ndatasets, 28 px, each measured once after a candidate that warms up")
    print("images  unpacking, s (once)  looking up, ms  starting, ms  private MB  shared MB")
    with ForkServer(["medevonet.sandboxed.session"]) as server:
        datasets.measure(IMAGES[0], server)
        points = [datasets.measure(images, server) for images in IMAGES]
    for p in points:
        print(
            f"{p.images:6,}{p.unpacking:21.2f}{p.looking_up:16.1f}{p.starting:14.0f}"
            f"{p.private_mb:12.0f}{p.shared_mb:11.0f}"
        )
    first, last = points[0], points[-1]
    compare("datasets", "images", last.images / first.images, {
        "starting_ms": (first.starting, last.starting),
        "private_mb": (first.private_mb, last.private_mb),
    })  # fmt: skip


def compare(name: str, what: str, times: float, values: Mapping[str, tuple[float, float]]) -> None:
    """``key: value`` lines: how many times as much at the last point as at the first."""
    label = name.replace(", ", "_").replace(",", "").replace(" ", "_")
    print(f"{label}_{what}: times {times:.1f}")
    for key, (first, last) in values.items():
        print(f"{label}_{key}: times {last / first:.2f}")


REPORTS: dict[str, Callable[[], None]] = {
    "archive": report_archive,
    "workers": report_workers,
    "datasets": report_datasets,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(REPORTS)}; all")
    parser.add_argument("--executor", choices=["local", "workers", "ray"], help="the slots of this one alone")
    parser.add_argument("--slots", default="1,2,4,8,16,32,64", help="with --executor: so many, one by one")
    options = parser.parse_args(arguments)
    parts = options.parts or list(REPORTS)
    if unknown := sorted(set(parts) - set(REPORTS)):
        parser.error(f"expected parts among {', '.join(REPORTS)}, found {', '.join(unknown)}")
    print(f"hardware: {machine.hardware()}; python: {platform.python_version()}")
    if options.executor:
        report_executor(options.executor, list(map(int, options.slots.split(","))))
        parts = []
    for part in parts:
        REPORTS[part]()
    print(f"\nmachine's load: {machine.load()}")


if __name__ == "__main__":
    main()
