"""Makes the table of real trainings that searches are replayed on (benchmarks/search/own.py).

Programs that stem from each other (recorded replies and offline mutations) are each trained on BreastMNIST
and on the first 300 training images of PneumoniaMNIST, at 28 px (MEDMNIST_ROOT), from as many seeds as
--repeats says. A second call goes on where the first one stopped, with the programs that it has left.

    python benchmarks/trainings.py FOLDER [--replies FOLDER] [--programs 200] [--repeats 6] [--part 0/1]
    python benchmarks/trainings.py FOLDER --pack benchmarks/results/DATE_trainings.npz

Several parts may run at once. The second form writes what all parts have as one small file.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import hardware
from benchmarks.search.programs import Relative, read_family, write_family
from benchmarks.search.trainings import fewer_images, measure
from openevolve.evaluating.cores import available_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the trainings")
    parser.add_argument(
        "--replies", type=Path, metavar="FOLDER", help="a folder with good/*.md and live/*.md"
    )
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--largest", type=int, default=30_000_000, help="multiply-adds of one image")
    parser.add_argument("--part", default="0/1", help="which of how many parts of the programs")
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no training is begun after")
    parser.add_argument("--pack", type=Path, metavar="TABLE.npz")
    options = parser.parse_args()
    if options.pack:
        from benchmarks.search.packing import pack_table

        print(pack_table(options.folder, options.pack))
        return
    _train(options)


def _train(options: argparse.Namespace) -> None:
    root = Path(os.environ.get("MEDMNIST_ROOT") or "~/.medmnist").expanduser()
    part, parts = map(int, options.part.split("/"))
    images = {"breastmnist": 546, "pneumoniamnist": 300}
    folder = options.folder / "images" / str(part)
    entries = [fewer_images(root / f"{name}.npz", count, folder) for name, count in images.items()]
    programs = {name: relative.code for name, relative in list(_programs(options).items())[part::parts]}
    table = options.folder / f"trainings-{part}-{parts}.jsonl"
    settings = {"epochs": options.epochs, "max_multiply_adds": options.largest}
    start = time.monotonic()
    print(hardware(), flush=True)
    for training in measure(
        programs, {entry.name: entry for entry in entries}, options.repeats, table, options.workers,
        settings, options.seconds,
    ):  # fmt: skip
        result = training.failure or f"{max(training.val_auc):.4f}  {training.seconds:.1f} s"
        print(
            f"{time.monotonic() - start:7.0f} s  {training.program:14} {training.dataset:18} "
            f"{training.repeat}  {result}",
            flush=True,
        )


def _programs(options: argparse.Namespace) -> dict[str, Relative]:
    path = options.folder / "programs.json"
    if not path.is_file():
        from benchmarks.search.family import family  # needs LibCST, which training does not

        write_family(path, family(options.replies, options.programs))
    return read_family(path)


if __name__ == "__main__":
    main()
