"""What a figure was measured on, for the benchmarks to print."""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from openevolve.evaluating.cores import available_cores


def hardware() -> str:
    """``AMD EPYC, 2 cores``: ``platform`` does not give the processor's name on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {available_cores()} cores"


def load() -> str:
    """The mean number of processes that wanted a core, others' included."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " over 1, 5 and 15 min"


def forced_append(repeats: int = 200) -> str:
    """What the disk that holds temporary files takes for 4 KiB more in a file, forced to it."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(repeats):
            start = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    return f"median {statistics.median(times):.2f} ms, p90 {times[repeats * 9 // 10]:.2f}, n={repeats}"
