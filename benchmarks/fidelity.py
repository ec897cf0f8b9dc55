"""What the rungs say of the full score, and what a ladder saves: measured on real data.

At least 60 distinct programs (recorded replies and offline mutations) are each evaluated on the rungs of
the ladder, then in full, then in full with another seed, on BreastMNIST and PneumoniaMNIST at 28 px
(MEDMNIST_ROOT). Printed are Kendall's tau, Spearman's rho and the recall of the top fifth, of each rung
against the full score and of the full score against its own repeat (the ceiling that noise leaves), the
cost of the rungs, and replays: the programs in random orders, through the promotion rule.

    python benchmarks/fidelity.py RECORDS.jsonl [--replies FOLDER] [--programs 60] [--workers 2]

RECORDS.jsonl keeps what was measured: a second call goes on from it, and only prints once all is there.
"""

import argparse
import platform
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.ladder.analysis import analysis
from benchmarks.ladder.pool import pool
from benchmarks.ladder.records import measure, read_records
from benchmarks.machine import hardware, load
from medevonet.run.folder import PROJECT
from medevonet.task import TaskConfig
from openevolve.evaluating.cores import available_cores
from openevolve.settings.files import load_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("records", type=Path, metavar="RECORDS.jsonl")
    parser.add_argument("--replies", type=Path, metavar="FOLDER", help="a folder with good/*.md")
    parser.add_argument("--programs", type=int, default=60)
    parser.add_argument("--workers", type=int, default=available_cores())
    options = parser.parse_args()
    task = TaskConfig(
        datasets=["breastmnist", "pneumoniamnist"], size=28, device="cpu", threads=1, download=False,
        bootstrap_replicates=200,
    )  # fmt: skip
    programs = pool(options.replies, options.programs)
    start = time.monotonic()
    for record in measure(programs, task, options.records, options.workers):
        scores = "  ".join(f"{full.score:.4f} ± {full.standard_error:.4f}" for full in record.full)
        rungs = "  ".join(f"{rung['mean_val_auc']:.4f}" for rung in record.rungs)
        found = record.failure or f"{rungs}  {scores}"
        print(f"{time.monotonic() - start:7.0f} s  {record.name:14}  {found}", flush=True)
    print(f"{hardware()}; load {load()}; Python {platform.python_version()}, PyTorch {torch.__version__}")
    print(f"task: {task.datasets}, {task.size} px, {task.epochs} epochs, seeds {task.seeds}")
    config = load_config(PROJECT / "config.yaml")
    print(analysis(list(read_records(options.records).values()), config))


if __name__ == "__main__":
    main()
