"""The referee's half of a training: it holds the labels, and believes nothing it has not checked.

A candidate process trains one network on one data set; medevonet/sandboxed/session.py says what it can be
asked. Every metric is computed here from the probabilities that it sends.
"""

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medevonet.data.dataset import Dataset
from medevonet.referee.candidate_process import Candidate, Floats, Precision, evaluation_batch
from medevonet.referee.rungs import Brief
from medevonet.statistics.artifacts import DatasetPredictions, Split, SplitPredictions
from medevonet.statistics.auc import Labels, auc
from medevonet.task import TaskConfig
from openevolve.records.program import FailureKind

# How far a probability may move between batches. Rounding moved those of 28 trained networks by at most 2e-7
# on a CPU (fp32); bf16 rounds at 4e-3 and moved some by 0.037. Batch statistics moved them by 0.01 to 0.6.
_TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "bf16": 5e-2}
FIT_STEPS = 20


Samples = NDArray[np.int64]  # indices of a split's images


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
class TrainingRun:
    """One training on one data set, and what its best epoch predicts."""

    dataset: Dataset
    seed: int
    history: tuple[EpochReport, ...]
    micro_batch: int  # images trained on at once: fewer than a batch where memory ran out
    probabilities: dict[Split, Floats]  # (N, C)

    @property
    def best(self) -> EpochReport:
        """The epoch of the highest validation AUC; the first of them on a tie."""
        return max(self.history, key=lambda report: report.val_auc)

    def course(self) -> str:
        """How training went, in one line: for the one who writes the next program."""
        losses = f"training loss {self.history[0].train_loss:.3f} to {self.history[-1].train_loss:.3f}"
        aucs = " ".join(f"{report.val_auc:.4f}" for report in self.history)
        return f"{self.dataset.name}: {losses}; validation AUC by epoch {aucs}; best epoch {self.best.epoch}"


@dataclass(frozen=True)
class DatasetRun:
    """All trainings on one data set; they differ in their seeds."""

    dataset: Dataset
    trainings: tuple[TrainingRun, ...]

    @property
    def val_aucs(self) -> tuple[float, ...]:
        """By training."""
        return tuple(training.best.val_auc for training in self.trainings)

    @property
    def val_auc(self) -> float:
        return float(np.mean(self.val_aucs))

    @property
    def predictions(self) -> DatasetPredictions:
        labels = {split: held_out_labels(self.dataset, split) for split in ("val", "test")}
        val, test = (
            SplitPredictions(first, labels[split], tuple(further))
            for split in ("val", "test")
            for first, *further in [[training.probabilities[split] for training in self.trainings]]
        )
        return DatasetPredictions(self.dataset.label_kind, val, test)

    def course(self) -> str:
        return "\n".join(training.course() for training in self.trainings)

    def to_json(self) -> dict[str, Any]:
        """All but the predictions."""
        return {
            "label_kind": self.dataset.label_kind,
            "outputs": self.dataset.outputs,
            "trainings": [
                {
                    "seed": training.seed,
                    "best_epoch": training.best.epoch,
                    "micro_batch": training.micro_batch,
                    "history": [asdict(report) for report in training.history],
                }
                for training in self.trainings
            ],
        }


def training_seed(seed: int, dataset: str, repeat: int = 0) -> int:
    """The seed of one training, the same whatever other data sets and repeats there are."""
    return zlib.crc32(f"{seed}/{dataset}{f'/{repeat}' if repeat else ''}".encode())


def held_out_labels(dataset: Dataset, split: str) -> Labels:
    return dataset.load_labels(split).astype(np.uint8)


def train(
    candidate: Candidate, task: TaskConfig, seed: int, precision: Precision, on_epoch: OnEpoch
) -> TrainingRun:
    """Train by the recipe and predict with the weights of the best epoch. Raises EvaluationFailed."""
    dataset = candidate.dataset
    labels = held_out_labels(dataset, "val")
    candidate.start(seed)
    history: list[EpochReport] = []
    best_auc = -math.inf
    for epoch in range(1, task.epochs + 1):
        start = time.monotonic()
        loss, micro_batch, probabilities = candidate.epoch()
        val_auc = auc(probabilities, labels, dataset.label_kind)
        better = val_auc > best_auc
        if better:
            best_auc, kept = val_auc, probabilities
            candidate.keep()
        history.append(EpochReport(epoch, loss, val_auc, time.monotonic() - start, better))
        on_epoch(dataset, history[-1])
    candidate.restore()
    check_each_image_alone(candidate, task, precision, kept)
    predicted: dict[Split, Floats] = {"val": kept, "test": candidate.predict("test")}
    return TrainingRun(dataset, seed, tuple(history), micro_batch, predicted)


def train_briefly(candidate: Candidate, seed: int, brief: Brief) -> float:
    """Validation AUC after a brief training, on images of the same size. Raises EvaluationFailed."""
    candidate.start(seed, brief.images, brief.epochs, brief.downsampling)
    for _ in range(brief.epochs):
        _, _, probabilities = candidate.epoch()
    labels = held_out_labels(candidate.dataset, "val")
    return auc(probabilities, labels, candidate.dataset.label_kind)


def check_that_one_batch_fits(candidate: Candidate, seed: int) -> None:
    """A network that can learn learns one batch by heart. Raises EvaluationFailed (diverged)."""
    first, last = candidate.fit_one_batch(seed, FIT_STEPS)
    if not last < first:
        raise candidate.failure(
            FailureKind.DIVERGED,
            f"expected the loss on a single batch to fall in {FIT_STEPS} steps, found {first:.4g} at first "
            f"and {last:.4g} at last: nothing is learned",
        )


def check_each_image_alone(
    candidate: Candidate, task: TaskConfig, precision: Precision, kept: Floats
) -> None:
    """Predict validation images again, in other batches: a probability may depend on its image alone.

    ``kept`` is what was predicted of all of them. bfloat16 rounds so coarsely that weak batch statistics
    would pass: those are looked for in float32 as well. Raises EvaluationFailed (forbidden).
    """
    first_batch = np.arange(min(evaluation_batch(task), len(kept)))
    few = np.random.default_rng(task.seed).permutation(len(kept))[:24]
    _check_alone(candidate, precision, first_batch, few, kept)
    if precision != "fp32":
        exact = kept.copy()
        for samples in (few, first_batch):
            exact[samples] = candidate.predict("val", samples.tolist(), precision="fp32")
        _check_alone(candidate, "fp32", first_batch, few, exact)


def _check_alone(
    candidate: Candidate, precision: Precision, first_batch: Samples, few: Samples, expected: Floats
) -> None:
    trials = (
        ("again in the same batch (dropout in evaluation mode?)", first_batch, None),
        ("beside others (batch statistics in evaluation mode?)", few, 3),
        ("alone (batch statistics in evaluation mode?)", few[:4], 1),
    )
    for how, samples, batch_size in trials:
        found = candidate.predict("val", samples.tolist(), batch_size, precision)
        change = np.abs(found - expected[samples]).max()
        if change > _TOLERANCE[precision]:
            raise candidate.failure(
                FailureKind.FORBIDDEN,
                "expected an output that depends on its image alone, "
                f"found a probability that moved by {change:.3g} when its image was predicted {how}",
            )
