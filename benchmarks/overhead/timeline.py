"""When programs came in, recorded inside an engine's main process and read by the benchmark."""

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


class Sample(NamedTuple):
    """The state right after a program came in."""

    seconds: float  # of wall clock
    cpu_seconds: float  # of the engine's main process
    memory_mb: float  # resident, of the engine's main process
    programs: int  # that the engine holds


class Timeline:
    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def sample(self, programs: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.samples.append(Sample(time.perf_counter(), time.process_time(), pages * _PAGE_MB, programs))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.samples))


def read_timeline(path: Path) -> list[Sample]:
    return [Sample(*row) for row in json.loads(path.read_text())]
