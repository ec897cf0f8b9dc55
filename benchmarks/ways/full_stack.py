"""This project as a run uses it: fork server, walls, candidate, referee, statistics, artifacts."""

import os
import time
from pathlib import Path

from benchmarks.ways.work import BATCH, MAX_LR, WEIGHT_DECAY, Figures, Work
from medevonet.data.dataset import Dataset
from medevonet.referee.evaluation import evaluate_program
from medevonet.referee.scoring import EpochReport
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import ForkServer
from openevolve.evaluating.isolation.watch import descendants


def main() -> None:
    work = Work.from_command_line()
    os.environ["MEDEVONET_CACHE"] = str(Path(work.folder) / "cache")
    task = TaskConfig(
        datasets=[work.dataset], size=work.size, epochs=work.epochs, batch_size=BATCH, max_lr=MAX_LR,
        weight_decay=WEIGHT_DECAY, device="cpu", seeds={},
    )  # fmt: skip
    seen: list[tuple[float, EpochReport]] = []
    peaks: list[float] = []

    def on_epoch(dataset: Dataset, report: EpochReport) -> None:
        seen.append((time.perf_counter(), report))
        peaks.append(max(map(_peak_mb, descendants(os.getpid()))))

    with ForkServer(["medevonet.sandboxed.session"]) as server:  # a run starts it once
        started = time.perf_counter()
        evaluation = evaluate_program(
            Path(work.program), task, Path(work.folder), launcher=server, on_epoch=on_epoch
        )
        ended = time.perf_counter()
    first_end, first = seen[0]
    start_up = first_end - first.seconds - started
    counted = [report.seconds for _, report in seen[1:]]
    Figures(
        start_up=start_up,
        epoch=sum(counted) / len(counted),
        training=None,
        predicting=None,
        whole=ended - started - start_up,
        memory_mb=max(peaks),
        precision=evaluation.network.precision,
    ).report()


def _peak_mb(pid: int) -> float:
    """Resident memory of a process at its peak; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
