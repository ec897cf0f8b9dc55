"""The artifacts of an evaluation: a pair of files, written and read.

An evaluated program leaves a pair of files. ``<uuid>.npz`` holds the probabilities and labels of the best
epoch, enough for any later analysis without retraining; no array is pickled::

    <dataset>_kind            label kind, a unicode scalar: binary, multi-class or multi-label
    <dataset>_<split>_probs   float32 (N, C), split val or test
    <dataset>_<split>_probs_2, _3, ...  likewise, of further trainings from other seeds
    <dataset>_<split>_labels  uint8 (N, 1), or (N, L) for multi-label

``<uuid>.json`` holds all else, as strict JSON. Where each number comes from is the evaluator's business;
the statistics of ``bootstrap_statistics`` fill the places marked <statistics>::

    {
      "uuid": "…", "status": "ok", "program": "<source>", "params": 1701383, "multiply_adds": 41250000,
      "datasets": {
        "breastmnist": {
          "label_kind": "binary", "outputs": 2,
          "trainings": [{"seed": 1, "best_epoch": 7,
                         "history": [{"epoch": 1, "train_loss": 0.61, "val_auc": 0.83}]}],
          "val": <statistics>
        }
      },
      "mean": {"val": <statistics>},
      "seconds": 12.3
    }

    <statistics> = {"auc": 0.9, "standard_error": 0.02, "ci95": [0.86, 0.94]}

Nothing in it is of the test split (``summaries.without_test`` says why). An AUC is the mean over a data set's
trainings, its error that of cases and, where there are several trainings, of training. A program that was
rejected on a rung has the status "rung", the trainings that it has done and, in place of statistics,
``"rung": {"val_auc": {"breastmnist": 0.9}}``.
"""

import itertools
import json
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medevonet.label_kind import LabelKind
from medevonet.statistics.auc import Labels, Probabilities, check_cases
from openevolve.errors import UserError

Split = Literal["val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Found by fuzzing: what NumPy and zipfile raise for damaged files and for archives of something else.
_UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, OverflowError, MemoryError, RuntimeError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class SplitPredictions:
    """Probabilities of a network for one split, and the split's labels."""

    probabilities: Probabilities  # (N, C), float32
    labels: Labels  # (N, 1), or (N, L) for multi-label; uint8
    repeats: tuple[Probabilities, ...] = ()  # of further trainings, likewise

    @property
    def trainings(self) -> tuple[Probabilities, ...]:
        return (self.probabilities, *self.repeats)


@dataclass(frozen=True)
class DatasetPredictions:
    """Predictions for one data set; raises ``ValueError`` for wrong types, shapes or values."""

    label_kind: LabelKind
    val: SplitPredictions
    test: SplitPredictions

    def __post_init__(self) -> None:
        for split in SPLITS:
            labels = self[split].labels
            for probabilities in self[split].trainings:
                found = f"{probabilities.dtype} and {labels.dtype}"
                if found != "float32 and uint8":
                    raise ValueError(
                        f"{split}: expected float32 probabilities and uint8 labels; found {found}"
                    )
                check_cases(probabilities, labels, self.label_kind)

    def __getitem__(self, split: Split) -> SplitPredictions:
        return self.val if split == "val" else self.test


def write_artifact(
    folder: Path, uuid: str, record: Mapping[str, object], predictions: Mapping[str, DatasetPredictions]
) -> Path:
    """Write ``<uuid>.npz``, then ``<uuid>.json``, into the folder, and return the path of the JSON file.

    Each file is whole or absent, whatever happens, and the JSON file exists only beside its NPZ file. NaN and
    infinity, for which JSON has no word, become null: the history of a diverged training is worth keeping.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for dataset, of_dataset in predictions.items():
        arrays[f"{dataset}_kind"] = np.array(of_dataset.label_kind)
        for split in SPLITS:
            for number, probabilities in enumerate(of_dataset[split].trainings, start=1):
                arrays[_probabilities_key(dataset, split, number)] = probabilities
            arrays[f"{dataset}_{split}_labels"] = of_dataset[split].labels
    text = json.dumps(_finite({"uuid": uuid, **record}), allow_nan=False, indent=2) + "\n"

    json_path = folder / f"{uuid}.json"
    json_path.unlink(missing_ok=True)  # an older one must not stand beside an NPZ file that is not its own
    _write_atomically(folder / f"{uuid}.npz", lambda file: np.savez(file, **arrays))
    _write_atomically(json_path, lambda file: file.write(text.encode()))
    return json_path


def _probabilities_key(dataset: str, split: Split, training: int) -> str:
    return f"{dataset}_{split}_probs" + (f"_{training}" if training > 1 else "")


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without it a power cut could keep the JSON file's name and lose the NPZ file's
    finally:
        os.close(folder)


def load_predictions(npz_path: Path) -> dict[str, DatasetPredictions]:
    """The predictions in an artifact, by data set; raises ``UserError`` for any file that is not one.

    Either file of the pair names it.
    """
    if npz_path.suffix == ".json":
        npz_path = npz_path.with_suffix(".npz")
    if not npz_path.is_file():
        raise UserError(f"{npz_path}: expected an artifact (<uuid>.npz); found no such file")
    try:
        with np.load(npz_path, allow_pickle=False) as archive:
            arrays = {key: np.asarray(archive[key]) for key in archive.files}
    except _UNREADABLE as error:
        raise UserError(
            f"{npz_path}: expected an artifact (<uuid>.npz); found a file that is damaged or no artifact "
            f"({type(error).__name__}): evaluate the program again to write a new one"
        ) from error

    datasets = [key.removesuffix("_kind") for key in arrays if key.endswith("_kind")]
    parts = ["kind"] + [f"{split}_{part}" for split in SPLITS for part in ("probs", "labels")]
    expected = {f"{dataset}_{part}" for dataset in datasets for part in parts}
    for dataset in datasets:
        for split in SPLITS:
            expected.update(_repeat_keys(arrays, dataset, split))
    if not datasets or expected != arrays.keys():
        raise UserError(
            f"{npz_path}: expected the keys <dataset>_kind and <dataset>_<val|test>_<probs|labels>; "
            f"missing {sorted(expected - arrays.keys()) or 'none'}, "
            f"not known {sorted(arrays.keys() - expected) or 'none'}, data sets {datasets or 'none'}"
        )
    return {dataset: _dataset_from(arrays, dataset, npz_path) for dataset in datasets}


def _repeat_keys(arrays: Mapping[str, NDArray[Any]], dataset: str, split: Split) -> list[str]:
    """The keys of the second and further trainings, without a gap."""
    keys = (_probabilities_key(dataset, split, number) for number in itertools.count(2))
    return list(itertools.takewhile(arrays.__contains__, keys))


def _dataset_from(arrays: Mapping[str, NDArray[Any]], dataset: str, npz_path: Path) -> DatasetPredictions:
    val, test = (
        SplitPredictions(
            arrays[f"{dataset}_{split}_probs"],
            arrays[f"{dataset}_{split}_labels"],
            tuple(arrays[key] for key in _repeat_keys(arrays, dataset, split)),
        )
        for split in SPLITS
    )
    try:
        return DatasetPredictions(arrays[f"{dataset}_kind"].item(), val, test)
    except ValueError as error:
        raise UserError(f"{npz_path}: {dataset}: {error}") from error
