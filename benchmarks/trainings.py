"""Makes the table of real trainings that searches are replayed on (benchmarks/search/trainings.py).

At least 150 distinct programs (recorded replies and offline mutations) are each trained six times on
BreastMNIST and on the first 300 training images of PneumoniaMNIST, at 28 px (MEDMNIST_ROOT).

    python benchmarks/trainings.py TABLE.jsonl [--replies FOLDER] [--programs 150] [--repeats 6]

A second call goes on where the first one stopped.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.ladder.pool import pool
from benchmarks.search.trainings import fewer_images, measure
from medevonet.task import DatasetConfig
from openevolve.evaluating.cores import available_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", type=Path, metavar="TABLE.jsonl")
    parser.add_argument("--replies", type=Path, metavar="FOLDER", help="a folder with good/*.md")
    parser.add_argument("--programs", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--workers", type=int, default=available_cores())
    options = parser.parse_args()
    root = Path(os.environ.get("MEDMNIST_ROOT") or "~/.medmnist").expanduser()
    pneumonia = fewer_images(root / "pneumoniamnist.npz", 300, options.table.resolve().parent)
    datasets: dict[str, str | DatasetConfig] = {"breastmnist": "breastmnist", pneumonia.name: pneumonia}
    programs = pool(options.replies, options.programs)
    start = time.monotonic()
    for training in measure(programs, datasets, options.repeats, options.table, options.workers):
        found = training.failure or f"{max(training.val_auc):.4f}  {training.seconds:.1f} s"
        print(
            f"{time.monotonic() - start:7.0f} s  {training.program:14} {training.dataset:18} "
            f"{training.repeat}  {found}",
            flush=True,
        )


if __name__ == "__main__":
    main()
