"""Artifacts of an evaluation, and the paired comparison of two of them.

An evaluated program leaves a pair of files. ``<uuid>.npz`` holds the probabilities and labels of the best
epoch, enough for any later analysis without retraining; no array is pickled::

    <dataset>_kind            label kind, a unicode scalar: binary, multi-class or multi-label
    <dataset>_<split>_probs   float32 (N, C), split val or test
    <dataset>_<split>_labels  uint8 (N, 1), or (N, L) for multi-label

``<uuid>.json`` holds all else, as strict JSON. Where each number comes from is the evaluator's business;
the statistics of ``bootstrap_statistics`` fill the places marked <statistics>::

    {
      "uuid": "…", "status": "ok", "program": "<source>", "params": 1701383, "multiply_adds": 41250000,
      "datasets": {
        "breastmnist": {
          "label_kind": "binary", "outputs": 2, "best_epoch": 7,
          "history": [{"epoch": 1, "train_loss": 0.61, "val_auc": 0.83}],
          "val": <statistics>, "test": <statistics>
        }
      },
      "mean": {"val": <statistics>, "test": <statistics>},
      "seconds": 12.3
    }

    <statistics> = {"auc": 0.9, "standard_error": 0.02, "ci95": [0.86, 0.94]}

Compare two programs, one line a data set and one for the mean::

    python metrics_utils.py compare A.npz B.npz [--split val] [--json]
"""

import argparse
import json
import math
import os
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medevonet.auc_statistics import (
    Floats,
    Labels,
    Probabilities,
    auc,
    bootstrap_auc,
    check_cases,
    percentile_interval,
)
from medevonet.label_kind import LabelKind
from medevonet.paired_tests import PairedDifference, paired_difference, report, table
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


@dataclass(frozen=True)
class DatasetPredictions:
    """Predictions for one data set; raises ``ValueError`` for wrong types, shapes or values."""

    label_kind: LabelKind
    val: SplitPredictions
    test: SplitPredictions

    def __post_init__(self) -> None:
        for split in SPLITS:
            cases = self[split]
            found = f"{cases.probabilities.dtype} and {cases.labels.dtype}"
            if found != "float32 and uint8":
                raise ValueError(f"{split}: expected float32 probabilities and uint8 labels; found {found}")
            check_cases(cases.probabilities, cases.labels, self.label_kind)

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
            arrays[f"{dataset}_{split}_probs"] = of_dataset[split].probabilities
            arrays[f"{dataset}_{split}_labels"] = of_dataset[split].labels
    text = json.dumps(_finite({"uuid": uuid, **record}), allow_nan=False, indent=2) + "\n"

    json_path = folder / f"{uuid}.json"
    json_path.unlink(missing_ok=True)  # an older one must not stand beside an NPZ file that is not its own
    _write_atomically(folder / f"{uuid}.npz", lambda file: np.savez(file, **arrays))
    _write_atomically(json_path, lambda file: file.write(text.encode()))
    return json_path


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
    """The predictions in an artifact, by data set; raises ``UserError`` for any file that is not one."""
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
    if not datasets or expected != arrays.keys():
        raise UserError(
            f"{npz_path}: expected the keys <dataset>_kind and <dataset>_<val|test>_<probs|labels>; "
            f"missing {sorted(expected - arrays.keys()) or 'none'}, "
            f"not known {sorted(arrays.keys() - expected) or 'none'}, data sets {datasets or 'none'}"
        )
    return {dataset: _dataset_from(arrays, dataset, npz_path) for dataset in datasets}


def _dataset_from(arrays: Mapping[str, NDArray[Any]], dataset: str, npz_path: Path) -> DatasetPredictions:
    val, test = (
        SplitPredictions(arrays[f"{dataset}_{split}_probs"], arrays[f"{dataset}_{split}_labels"])
        for split in SPLITS
    )
    try:
        return DatasetPredictions(arrays[f"{dataset}_kind"].item(), val, test)
    except ValueError as error:
        raise UserError(f"{npz_path}: {dataset}: {error}") from error


def _generator(seed: int, dataset: str, split: Split) -> np.random.Generator:
    """A stream of its own for each data set and split, so that none depends on which others there are."""
    return np.random.default_rng([seed, zlib.crc32(f"{dataset}/{split}".encode())])


def bootstrap_statistics(
    predictions: Mapping[str, DatasetPredictions], seed: int, replicates: int = 1000
) -> dict[str, Any]:
    """Bootstrap statistics of each data set and of the mean over data sets, for the JSON record.

    Returns ``{"datasets": {name: {split: statistics}}, "mean": {split: statistics}}``, with the statistics
    of the module's docstring. Equal seeds resample a data set alike for every program. Raises ``ValueError``
    where an AUC is undefined or no data set is given.
    """
    if not predictions:
        raise ValueError("expected predictions for at least one data set; found none")
    statistics: dict[str, Any] = {"datasets": {dataset: {} for dataset in predictions}, "mean": {}}
    for split in SPLITS:
        aucs, samples = [], []
        for dataset, of_dataset in predictions.items():
            probabilities, labels = of_dataset[split].probabilities, of_dataset[split].labels
            rng = _generator(seed, dataset, split)
            sample = bootstrap_auc([probabilities], labels, of_dataset.label_kind, rng, replicates)[0]
            aucs.append(auc(probabilities, labels, of_dataset.label_kind))
            samples.append(sample)
            statistics["datasets"][dataset][split] = _summary(aucs[-1], sample)
        statistics["mean"][split] = _summary(float(np.mean(aucs)), np.mean(samples, axis=0))
    return statistics


def _summary(value: float, sample: Floats) -> dict[str, Any]:
    return {
        "auc": value,
        "standard_error": float(sample.std(ddof=1)),
        "ci95": list(percentile_interval(sample)),
    }


def compare(
    a: Mapping[str, DatasetPredictions],
    b: Mapping[str, DatasetPredictions],
    split: Split,
    seed: int,
    replicates: int,
) -> dict[str, Any]:
    """Paired bootstrap and DeLong tests of B against A, as ``paired_tests.report`` lays them out.

    Raises ``UserError`` unless A and B hold the same cases and every statistic is defined.
    """
    _check_same_cases(a, b, split)
    differences: dict[str, PairedDifference] = {}
    for dataset, of_a in a.items():
        first, second = of_a[split], b[dataset][split]
        rng = _generator(seed, dataset, split)
        try:
            differences[dataset] = paired_difference(
                first.probabilities, second.probabilities, first.labels, of_a.label_kind, rng, replicates
            )
        except ValueError as error:
            raise UserError(f"{dataset}, {split} split: {error}") from error
    return report(differences)


def _check_same_cases(
    a: Mapping[str, DatasetPredictions], b: Mapping[str, DatasetPredictions], split: Split
) -> None:
    if a.keys() != b.keys():
        raise UserError(
            f"expected the same data sets in A and B; found {', '.join(sorted(a))} in A and "
            f"{', '.join(sorted(b))} in B"
        )
    for dataset, of_a in a.items():
        labels_a, labels_b = of_a[split].labels, b[dataset][split].labels
        if of_a.label_kind != b[dataset].label_kind or not np.array_equal(labels_a, labels_b):
            raise UserError(
                f"{dataset}, {split} split: expected the same cases in A and B; found other labels "
                f"({of_a.label_kind} {labels_a.shape} in A, {b[dataset].label_kind} {labels_b.shape} in B): "
                "compare programs that were evaluated on the same files"
            )


def _at_least(lowest: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"expected an integer of at least {lowest}; found {text!r}")
        return int(text)

    return integer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Statistics of evaluated programs.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("compare", help="paired bootstrap and DeLong tests of two artifacts")
    command.add_argument("a", type=Path, metavar="A.npz")
    command.add_argument("b", type=Path, metavar="B.npz")
    command.add_argument("--split", choices=SPLITS, default="test")
    command.add_argument("--replicates", type=_at_least(100), default=10_000, help="bootstrap replicates")
    command.add_argument("--seed", type=_at_least(0), default=0, help="of the bootstrap")
    command.add_argument("--json", action="store_true", help="print JSON, unrounded, in place of the table")
    options = parser.parse_args(arguments)
    try:
        a, b = load_predictions(options.a), load_predictions(options.b)
        comparison = compare(a, b, options.split, options.seed, options.replicates)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(vars(options) | comparison, default=str, allow_nan=False, indent=2))
    else:
        print(f"# A {options.a}\n# B {options.b}")
        print(f"# {options.split} split, {options.replicates} bootstrap replicates, seed {options.seed}")
        print(table(comparison))
    return 0


if __name__ == "__main__":
    sys.exit(main())
