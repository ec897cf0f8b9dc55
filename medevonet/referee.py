"""The referee's half of an evaluation: it holds the labels, and believes nothing it has not checked.

One candidate process trains one network per data set (candidate.py says what it can be asked); every
metric is computed here from the probabilities that it sends.
"""

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dataloader import Dataset
from medevonet.auc_statistics import auc
from medevonet.candidate_process import Candidate, Floats, evaluation_batch
from metrics_utils import DatasetPredictions, SplitPredictions
from openevolve.program import FailureKind
from run_utils import TaskConfig

# How far a probability may move between batches. Rounding moved those of 28 trained networks by at most 2e-7
# on a CPU (fp32); TF32 and bf16 on a GPU round at 5e-4 and 4e-3. Batch statistics moved them by 0.01 to 0.6.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}


@dataclass(frozen=True)
class EpochReport:
    """One epoch on one data set, as it ends."""

    epoch: int  # from 1
    train_loss: float
    val_auc: float
    seconds: float
    best: bool  # so far


OnEpoch = Callable[[Dataset, EpochReport], None]


@dataclass(frozen=True)
class DatasetRun:
    """A network's training on one data set, and what its best epoch predicts."""

    dataset: Dataset
    history: tuple[EpochReport, ...]
    predictions: DatasetPredictions

    @property
    def best(self) -> EpochReport:
        """The epoch of the highest validation AUC; the first of them on a tie."""
        return max(self.history, key=lambda report: report.val_auc)

    def course(self) -> str:
        """How training went, in one line: for the one who writes the next program."""
        losses = f"training loss {self.history[0].train_loss:.3f} to {self.history[-1].train_loss:.3f}"
        aucs = " ".join(f"{report.val_auc:.4f}" for report in self.history)
        return f"{self.dataset.name}: {losses}; validation AUC by epoch {aucs}; best epoch {self.best.epoch}"

    def to_json(self) -> dict[str, Any]:
        """All but the predictions."""
        return {
            "label_kind": self.dataset.label_kind,
            "outputs": self.dataset.outputs,
            "best_epoch": self.best.epoch,
            "history": [asdict(report) for report in self.history],
        }


def dataset_seed(seed: int, dataset: str) -> int:
    """The seed of one data set's training, the same whatever other data sets there are."""
    return zlib.crc32(f"{seed}/{dataset}".encode())


def train_dataset(candidate: Candidate, dataset: Dataset, task: TaskConfig, on_epoch: OnEpoch) -> DatasetRun:
    """Train on one data set and predict with the weights of the best epoch. Raises EvaluationFailed."""
    labels = {split: dataset.load_labels(split).astype(np.uint8) for split in ("val", "test")}
    candidate.start(dataset, dataset_seed(task.seed, dataset.name))
    history: list[EpochReport] = []
    best_auc = -math.inf
    for epoch in range(1, task.epochs + 1):
        start = time.monotonic()
        loss, probabilities = candidate.epoch()
        val_auc = auc(probabilities, labels["val"], dataset.label_kind)
        better = val_auc > best_auc
        if better:
            best_auc, kept = val_auc, probabilities
            candidate.keep()
        history.append(EpochReport(epoch, loss, val_auc, time.monotonic() - start, better))
        on_epoch(dataset, history[-1])
    candidate.restore()
    check_each_image_alone(candidate, dataset, task, kept)
    val = SplitPredictions(kept, labels["val"])
    test = SplitPredictions(candidate.predict("test"), labels["test"])
    return DatasetRun(dataset, tuple(history), DatasetPredictions(dataset.label_kind, val, test))


def check_each_image_alone(candidate: Candidate, dataset: Dataset, task: TaskConfig, kept: Floats) -> None:
    """Predict validation images again, in other batches: a probability may depend on its image alone.

    Raises EvaluationFailed (forbidden).
    """
    first_batch = np.arange(min(evaluation_batch(task), len(kept)))
    order = np.random.default_rng(task.seed).permutation(len(kept))
    trials = (
        ("again in the same batch (dropout in evaluation mode?)", first_batch, None),
        ("beside others (batch statistics in evaluation mode?)", order[:24], 3),
        ("alone (batch statistics in evaluation mode?)", order[:4], 1),
    )
    for how, samples, batch_size in trials:
        found = candidate.predict("val", samples.tolist(), batch_size)
        change = np.abs(found - kept[samples]).max()
        if change > _TOLERANCE[task.precision]:
            raise candidate.failure(
                FailureKind.FORBIDDEN,
                "expected an output that depends on its image alone, "
                f"found a probability that moved by {change:.3g} when its image was predicted {how}",
            )
