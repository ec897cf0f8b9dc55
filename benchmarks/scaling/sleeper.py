"""An evaluator that waits, as one does for a GPU: it takes time and no core."""

import time

from benchmarks.overhead import workload

SECONDS = 0.5


def evaluate(program_path: str) -> dict[str, float]:
    time.sleep(SECONDS)
    return workload.evaluate(program_path)
