"""Whether training in bfloat16 moves a score: AUC of the same trainings in bf16 and in fp32.

Each seed trains the seed program (or --program) twice on the same data in the same order, on BreastMNIST and
PneumoniaMNIST at 28 px (MEDMNIST_ROOT) under the fixed recipe; what is compared is the AUC of the best
validation epoch, on the validation and on the test split. Rows give means and standard deviations over
seeds, the mean difference bf16 - fp32 with its 95% interval (Student's t), and the time of both.

    python benchmarks/precision.py [--program FILE] [--seeds 10] [--first-seed 0] [--epochs 10]
"""

import argparse
import platform
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import ttest_1samp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import hardware, load
from medevonet.data.dataset import load_dataset
from medevonet.sandboxed.program import Program
from medevonet.sandboxed.recipe import Precision, Recipe, Training
from medevonet.statistics.auc import auc
from openevolve.evaluating.cores import available_cores

DATASETS = ("breastmnist", "pneumoniamnist")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@dataclass(frozen=True)
class Job:
    """One training."""

    program: Path
    dataset: str
    seed: int
    epochs: int
    precision: Precision


@dataclass(frozen=True)
class Scores:
    """AUC at the best validation epoch, and the training's seconds."""

    val: float
    test: float
    seconds: float


def train(job: Job) -> Scores:
    """Train once, on one thread."""
    torch.set_num_threads(1)
    dataset = load_dataset(job.dataset, 28, download=False)
    images = {
        split: torch.from_numpy(dataset.load_images(split).copy()) for split in ("train", "val", "test")
    }
    labels = {split: dataset.load_labels(split) for split in images}
    program = Program(job.program, 28, torch.device("cpu"))
    program.inspect([dataset.outputs])
    training = Training(
        program.network(dataset.outputs, job.seed), images["train"],
        torch.from_numpy(labels["train"].copy()), dataset.label_kind, dataset.outputs,
        Recipe(job.epochs, 64, 128, 3e-3, 0.01, job.precision), job.seed, program.memory_format,
    )  # fmt: skip
    start, best = time.perf_counter(), (-1.0, 0.0)
    for _ in range(job.epochs):
        training.epoch()
        val, test = (
            auc(training.predict(images[split]).numpy(), labels[split], dataset.label_kind)
            for split in ("val", "test")
        )
        best = max(best, (val, test), key=lambda scores: scores[0])
    return Scores(*best, time.perf_counter() - start)


def row(name: str, fp32: list[float], bf16: list[float]) -> str:
    """Means, standard deviations and the paired difference of one figure."""
    differences = np.subtract(bf16, fp32)
    test = ttest_1samp(differences, 0)
    interval = test.confidence_interval(0.95)
    means = "  ".join(f"{np.mean(x):.4f} ± {np.std(x, ddof=1):.4f}" for x in (fp32, bf16))
    return (
        f"{name:22} {means}  {differences.mean():+.4f} ({interval.low:+.4f} to {interval.high:+.4f}), "
        f"p = {test.pvalue:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", type=Path, default=Path(__file__).parent.parent / "seed_program.py")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--processes", type=int, default=available_cores())
    options = parser.parse_args()
    print(f"{hardware()}; load {load()}; Python {platform.python_version()}, PyTorch {torch.__version__}")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(
        f"{options.program.name}, {options.epochs} epochs at 28 px, n = {len(seeds)} seeds from {seeds[0]} on"
    )
    jobs = [
        Job(options.program, dataset, seed, options.epochs, precision)
        for seed in seeds
        for dataset in DATASETS
        for precision in PRECISIONS
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        found = dict(zip(jobs, pool.map(train, jobs), strict=True))

    def column(dataset: str, precision: Precision, figure: str) -> list[float]:
        """Over seeds."""
        chosen = [job for job in jobs if (job.dataset, job.precision) == (dataset, precision)]
        return [getattr(found[job], figure) for job in chosen]

    print(f"{'AUC':22} {'fp32':15}  {'bf16':15}  bf16 - fp32 (95% interval)")
    for figure in ("val", "test"):
        columns = {p: [column(dataset, p, figure) for dataset in DATASETS] for p in PRECISIONS}
        for i, dataset in enumerate(DATASETS):
            print(row(f"{dataset} {figure}", columns["fp32"][i], columns["bf16"][i]))
        means = {p: np.mean(columns[p], axis=0).tolist() for p in PRECISIONS}
        print(row(f"mean {figure}", means["fp32"], means["bf16"]))
    for dataset in DATASETS:
        fp32, bf16 = (column(dataset, precision, "seconds") for precision in PRECISIONS)
        ratios = [a / b for a, b in zip(fp32, bf16, strict=True)]
        print(
            f"{dataset} time, fp32 / bf16: median {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
