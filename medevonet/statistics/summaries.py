"""Statistics of an evaluation, its artifacts, and the paired comparison of two of them.

An evaluated program leaves ``<uuid>.json`` and ``<uuid>.npz``; medevonet/artifacts.py says what is in them.
Compare two programs, one line a data set and one for the mean::

    python metrics_utils.py compare A.npz B.npz [--split val] [--json]
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.statistics.artifacts import (
    SPLITS,
    DatasetPredictions,
    Split,
    SplitPredictions,
    load_predictions,
    write_artifact,
)
from medevonet.statistics.auc import Floats, auc, bootstrap_auc, mean_of_trainings, percentile_interval
from medevonet.statistics.paired_tests import PairedDifference, paired_difference, report, table
from openevolve.errors import UserError

__all__ = [
    "SPLITS", "DatasetPredictions", "Split", "SplitPredictions", "bootstrap_statistics", "compare",
    "load_predictions", "write_artifact",
]  # fmt: skip


def _generator(seed: int, dataset: str, split: Split) -> np.random.Generator:
    """A stream of its own for each data set and split, so that none depends on which others there are."""
    return np.random.default_rng([seed, zlib.crc32(f"{dataset}/{split}".encode())])


def bootstrap_statistics(
    predictions: Mapping[str, DatasetPredictions], seed: int, replicates: int = 1000
) -> dict[str, Any]:
    """Bootstrap statistics of each data set and of the mean over data sets, for the JSON record.

    Returns ``{"datasets": {name: {split: statistics}}, "mean": {split: statistics}}``, with the
    ``<statistics>`` of medevonet/artifacts.py. Equal seeds resample a data set alike for every program.
    Raises ``ValueError`` where an AUC is undefined or no data set is given.
    """
    if not predictions:
        raise ValueError("expected predictions for at least one data set; found none")
    statistics: dict[str, Any] = {"datasets": {dataset: {} for dataset in predictions}, "mean": {}}
    for split in SPLITS:
        aucs, samples = [], []
        for dataset, of_dataset in predictions.items():
            kind, trainings, labels = (
                of_dataset.label_kind,
                of_dataset[split].trainings,
                of_dataset[split].labels,
            )
            rng = _generator(seed, dataset, split)
            sample = mean_of_trainings(bootstrap_auc(trainings, labels, kind, rng, replicates), rng)
            aucs.append(float(np.mean([auc(probabilities, labels, kind) for probabilities in trainings])))
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
                first.trainings, second.trainings, first.labels, of_a.label_kind, rng, replicates
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
