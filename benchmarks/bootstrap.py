"""Paired bootstrap of a full-size test set: this project's, and a loop over scikit-learn's roc_auc_score.

Labels and probabilities are random, of the sizes of the five MedMNIST test splits. Both ways score the
same two models on the same resamples, and their values are compared; the loop is timed on a few
replicates and extrapolated to all of them.

    python benchmarks/bootstrap.py [--replicates 1000] [--loop-replicates 2] [--repeats 3]
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medevonet.label_kind import LabelKind
from medevonet.statistics.auc import Floats, Labels, Probabilities, bootstrap_auc, resample
from openevolve.evaluating.cores import available_cores

SIZES: dict[str, tuple[int, int, LabelKind]] = {
    "breastmnist": (156, 2, "binary"),
    "pneumoniamnist": (624, 2, "binary"),
    "dermamnist": (2005, 7, "multi-class"),
    "octmnist": (1000, 4, "multi-class"),
    "chestmnist": (22433, 14, "multi-label"),
}
CHEST_PREVALENCE = 0.05  # about the mean over ChestMNIST's labels


@dataclass(frozen=True)
class TestSet:
    label_kind: LabelKind
    labels: Labels
    models: list[Probabilities]

    @classmethod
    def random(cls, cases: int, outputs: int, label_kind: LabelKind, rng: np.random.Generator) -> "TestSet":
        if label_kind == "multi-label":
            labels = (rng.random((cases, outputs)) < CHEST_PREVALENCE).astype(np.uint8)
            signal = labels
        else:
            labels = rng.integers(outputs, size=(cases, 1)).astype(np.uint8)
            signal = (labels == np.arange(outputs)).astype(np.uint8)
        models = [(signal + rng.normal(size=signal.shape)).astype(np.float32) for _ in range(2)]
        return cls(label_kind, labels, models)


def ranked(test_sets: list[TestSet], replicates: int) -> list[Floats]:
    """AUC of both models, (2, replicates), a test set each."""
    return [
        bootstrap_auc(each.models, each.labels, each.label_kind, np.random.default_rng(i), replicates)
        for i, each in enumerate(test_sets)
    ]


def loop(test_sets: list[TestSet], replicates: int) -> list[Floats]:
    """The same, with every label of every replicate sorted again by scikit-learn."""
    results = []
    for i, each in enumerate(test_sets):
        result = np.empty((len(each.models), replicates))
        weights = resample(each.labels, each.label_kind, np.random.default_rng(i), replicates)
        for replicate in range(replicates):
            cases = np.repeat(np.arange(len(each.labels)), weights[replicate])
            for model, scores in enumerate(each.models):
                result[model, replicate] = _mean_auc(scores[cases], each.labels[cases], each.label_kind)
        results.append(result)
    return results


def _mean_auc(scores: Probabilities, labels: Labels, label_kind: LabelKind) -> float:
    if label_kind == "binary":
        return float(roc_auc_score(labels[:, 0], scores[:, -1]))
    targets = labels if label_kind == "multi-label" else labels == np.arange(scores.shape[1])
    return float(np.mean([roc_auc_score(targets[:, i], scores[:, i]) for i in range(scores.shape[1])]))


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def spread(times: list[float]) -> str:
    middle = statistics.median(times)
    return f"median {middle:.3f} s (min {min(times):.3f}, max {max(times):.3f}, n={len(times)})"


def processor() -> str:
    """The processor's name, which ``platform`` does not give on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--loop-replicates", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    test_sets = [TestSet.random(*size, rng) for size in SIZES.values()]
    few = options.loop_replicates
    for fast, slow in zip(ranked(test_sets, few), loop(test_sets, few), strict=True):  # and warms both up
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)

    # In turn, so that a change of the machine's load meets both.
    fast_times, loop_times = [], []
    for _ in range(options.repeats):
        fast_times += seconds(lambda: ranked(test_sets, options.replicates), 1)
        loop_times += seconds(lambda: loop(test_sets, few), 1)
    fast_rate = options.replicates / statistics.median(fast_times)
    loop_rate = few / statistics.median(loop_times)
    print(f"hardware: {processor()}, {available_cores()} cores; one thread is used")
    print(
        f"python: {platform.python_version()}, numpy: {np.__version__}, scikit-learn: {sklearn.__version__}"
    )
    print("test sets: " + ", ".join(f"{name} {n}x{outputs}" for name, (n, outputs, _) in SIZES.items()))
    print(f"ranked: {options.replicates} paired replicates: {spread(fast_times)}")
    print(f"ranked_replicates_per_s: {fast_rate:.1f}")
    print(f"loop: {few} paired replicates: {spread(loop_times)}")
    print(
        f"loop_extrapolated_s: {options.replicates / loop_rate:.1f}  # to {options.replicates}, not measured"
    )
    print(f"ratio: {fast_rate / loop_rate:.0f}")


if __name__ == "__main__":
    main()
