"""The referee's half of an evaluation: it holds the labels, and believes nothing it has not checked.

One candidate process trains one network per data set (candidate.py says what it can be asked); every
metric is computed here from the probabilities that it sends.
"""

import math
import signal
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from medevonet.auc_statistics import auc
from dataloader import Dataset
from medevonet.channel import ProtocolError, receive, send
from metrics_utils import DatasetPredictions, SplitPredictions
from openevolve.errors import UserError
from openevolve.evaluation_result import EvaluationFailed
from openevolve.isolation import Launcher, Request
from openevolve.program import FailureKind
from run_utils import TaskConfig

Floats = NDArray[np.float32]

OUTPUT_TAIL_BYTES = 4096
_EXIT_SECONDS = 10  # between closing a channel and ending
_ROUNDING = 1e-4  # of a sum of float32 probabilities
_CLAIMS = {
    "import_error",
    "wrong_shape",
    "diverged",
    "out_of_memory",
    "crashed",
}  # what a candidate may report

# How far probabilities of one image may differ between batches. Rounding, measured on trained networks,
# reaches ... (fp32) and ... (bf16); batch statistics in evaluation mode move them by .01 to .6.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}


@dataclass(frozen=True)
class Network:
    """What a candidate says of its network and of what it runs on."""

    params: int
    multiply_adds: int  # of one image
    head: str  # name of the output layer that is swapped
    memory_format: str
    device: str
    torch: str  # version


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


def candidate_argument(program: Path, task: TaskConfig, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """All that a candidate is told: no path of a validation or test label is in it."""
    recipe = ("epochs", "batch_size", "max_lr", "weight_decay", "precision")
    return {
        "program": str(program),
        "size": task.size,
        "device": task.device,
        "threads": task.threads,
        "recipe": {name: getattr(task, name) for name in recipe},
        "datasets": {
            dataset.name: {
                "label_kind": dataset.label_kind,
                "outputs": dataset.outputs,
                "images": {split: str(path) for split, path in dataset.images.items()},
                "train_labels": str(dataset.labels["train"]),
            }
            for dataset in datasets
        },
    }


class Candidate:
    """A candidate process. Every method raises EvaluationFailed for whatever goes wrong in it."""

    def __init__(self, launcher: Launcher, request: Request, deadline: float | None) -> None:
        """Start it and load its program; ``deadline`` is a time of ``time.monotonic``.

        Raises:
            UserError: the device does not exist.
        """
        self._output = request.output
        self._deadline = deadline
        self._doing = "starting"
        self._child = launcher.start(request)
        greeting, _ = self._receive(0)
        if "device_error" in greeting:
            raise UserError(
                f"task.device: expected auto, cpu or a GPU such as cuda:0, found "
                f"{request.argument['device']!r}: {greeting['device_error']}"
            )
        facts, _ = self._ask("load")
        self.network = Network(
            params=self._count(facts, "params"),
            multiply_adds=self._count(facts, "multiply_adds"),
            head=str(facts.get("head")),
            memory_format=str(facts.get("memory_format")),
            device=str(greeting.get("device")),
            torch=str(greeting.get("torch")),
        )

    def start(self, dataset: Dataset, seed: int) -> None:
        """Make a fresh network for a data set."""
        self._ask("start", dataset=dataset.name, seed=seed)

    def epoch(self, dataset: Dataset) -> tuple[float, Floats]:
        """Train for an epoch: the mean training loss, and the validation split's probabilities (N, C)."""
        shape = (dataset.count("val"), dataset.outputs)
        header, numbers = self._ask("epoch", floats=math.prod(shape))
        loss = header.get("train_loss")
        if not isinstance(loss, float) or not math.isfinite(loss):
            raise self._failure(FailureKind.DIVERGED, f"expected a finite training loss, found {loss!r}")
        return loss, self._probabilities(numbers, shape, dataset)

    def keep(self) -> None:
        self._ask("keep")

    def restore(self) -> None:
        self._ask("restore")

    def predict(
        self,
        dataset: Dataset,
        split: str,
        samples: Sequence[int] | None = None,
        batch_size: int | None = None,
    ) -> Floats:
        """Probabilities (N, C) of a split, or of some samples in the order and batches asked for."""
        rows = dataset.count(split) if samples is None else len(samples)
        shape = (rows, dataset.outputs)
        _, numbers = self._ask(
            "predict", floats=math.prod(shape), split=split, samples=samples, batch_size=batch_size
        )
        return self._probabilities(numbers, shape, dataset)

    def forbid(self, message: str) -> EvaluationFailed:
        """The failure of a program that did what it must not."""
        return self._failure(FailureKind.FORBIDDEN, message)

    def close(self) -> None:
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, command: str, floats: int = 0, **fields: Any) -> tuple[dict[str, Any], Floats]:
        self._doing = " ".join(
            [command, *(str(fields[key]) for key in ("dataset", "split") if key in fields)]
        )
        try:
            send(self._child.channel, {"command": command, **fields})
        except OSError:
            raise self._ended() from None
        header, numbers = self._receive(floats)
        if len(numbers) != floats:
            raise self.forbid(f"{self._doing}: expected {floats} numbers in the answer, found none")
        return header, numbers

    def _receive(self, floats: int) -> tuple[dict[str, Any], Floats]:
        try:
            header, numbers = receive(self._child.channel, floats, self._deadline)
        except EOFError:
            raise self._ended() from None
        except TimeoutError:
            raise self._failure(
                FailureKind.TIMEOUT, f"expected an end within the time limit, found it at: {self._doing}"
            ) from None
        except ProtocolError as error:
            raise self.forbid(
                f"{self._doing}: {error}; a program must not write to descriptors that it has not opened"
            ) from None
        if "failure" in header:
            kind = header["failure"] if header["failure"] in _CLAIMS else FailureKind.CRASHED
            raise self._failure(kind, str(header.get("message")))
        return header, numbers

    def _ended(self) -> EvaluationFailed:
        """Why a candidate that closed its channel did so."""
        try:
            ended = self._child.wait(_EXIT_SECONDS)
        except TimeoutError:
            return self._failure(FailureKind.CRASHED, f"{self._doing}: it closed its channel and went on")
        if ended.reason == FailureKind.OUT_OF_MEMORY:
            return self._failure(
                FailureKind.OUT_OF_MEMORY,
                f"{self._doing}: expected resident memory below the limit, found more",
            )
        how = f"by {signal.Signals(-ended.code).name}" if ended.code < 0 else f"with exit code {ended.code}"
        return self._failure(FailureKind.CRASHED, f"{self._doing}: expected an answer, found its end {how}")

    def _failure(self, kind: FailureKind | str, message: str) -> EvaluationFailed:
        return EvaluationFailed(kind, message, output_tail(self._output))

    def _count(self, facts: dict[str, Any], name: str) -> int:
        value = facts.get(name)
        if type(value) is not int or not 0 < value < 2**53:
            raise self.forbid(f"expected {name} to be a whole number above 0, found {value!r}")
        return value

    def _probabilities(self, numbers: Floats, shape: tuple[int, int], dataset: Dataset) -> Floats:
        probabilities = numbers.reshape(shape)
        where = f"{dataset.name}, {self._doing}"
        if not np.isfinite(probabilities).all():
            raise self._failure(FailureKind.DIVERGED, f"{where}: the probabilities hold NaN or infinity")
        if probabilities.min() < 0 or probabilities.max() > 1 + _ROUNDING:
            raise self.forbid(
                f"{where}: expected probabilities from 0 to 1, "
                f"found {probabilities.min():g} to {probabilities.max():g}"
            )
        sums = probabilities.sum(axis=1)
        if dataset.label_kind != "multi-label" and np.abs(sums - 1).max() > _ROUNDING:
            raise self.forbid(
                f"{where}: expected probabilities that add up to 1 for each image, "
                f"found sums from {sums.min():g} to {sums.max():g}"
            )
        return probabilities


def output_tail(path: Path) -> str:
    """The last bytes that a process printed."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OUTPUT_TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


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
        loss, probabilities = candidate.epoch(dataset)
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
    test = SplitPredictions(candidate.predict(dataset, "test"), labels["test"])
    return DatasetRun(dataset, tuple(history), DatasetPredictions(dataset.label_kind, val, test))


def check_each_image_alone(candidate: Candidate, dataset: Dataset, task: TaskConfig, kept: Floats) -> None:
    """Predict validation images again, in other batches: a probability may depend on its image alone.

    Raises EvaluationFailed (forbidden).
    """
    count = dataset.count("val")
    order = np.random.default_rng(task.seed).permutation(count)
    trials = (
        ("again in the same batch (is dropout on in evaluation mode?)", range(min(count, 2 * task.batch_size)), None),
        ("alone", order[:4], 1),
        ("beside other images (are batch statistics used in evaluation mode?)", order[:24], 3),
    )  # fmt: skip
    for how, samples, batch_size in trials:
        chosen = [int(sample) for sample in samples]
        found = candidate.predict(dataset, "val", chosen, batch_size)
        change = float(np.abs(found - kept[chosen]).max())
        if change > _TOLERANCE[task.precision]:
            raise candidate.forbid(
                f"{dataset.name}: expected an output that depends on its image alone, "
                f"found a probability that moved by {change:.3g} when the image was predicted {how}"
            )
