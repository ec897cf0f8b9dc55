"""Statistics of an evaluation, for its JSON record (medevonet/statistics/artifacts.py says what is in it)."""

import zlib
from collections.abc import Mapping
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

__all__ = [
    "SPLITS", "DatasetPredictions", "Split", "SplitPredictions", "bootstrap_statistics",
    "load_predictions", "without_test", "write_artifact",
]  # fmt: skip


def _generator(seed: int, dataset: str, split: Split) -> np.random.Generator:
    """A stream of its own for each data set and split, so that none depends on which others there are."""
    return np.random.default_rng([seed, zlib.crc32(f"{dataset}/{split}".encode())])


def bootstrap_statistics(
    predictions: Mapping[str, DatasetPredictions], seed: int, replicates: int = 1000
) -> dict[str, Any]:
    """Bootstrap statistics of each data set and of the mean over data sets, test split included.

    Returns ``{"datasets": {name: {split: statistics}}, "mean": {split: statistics}}``, with the
    ``<statistics>`` of medevonet/statistics/artifacts.py. Equal seeds resample a data set alike for every
    program.
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
            of_trainings = [auc(probabilities, labels, kind) for probabilities in trainings]
            sample = mean_of_trainings(
                bootstrap_auc(trainings, labels, kind, rng, replicates), of_trainings, rng
            )
            aucs.append(float(np.mean(of_trainings)))
            samples.append(sample)
            statistics["datasets"][dataset][split] = _summary(aucs[-1], sample)
        statistics["mean"][split] = _summary(float(np.mean(aucs)), np.mean(samples, axis=0))
    return statistics


def without_test(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """What the JSON record holds of ``bootstrap_statistics``: nothing of the test split.

    Records lie open beside a search. Of the test split they would be a look that nobody counts;
    ``metrics_utils.py compare`` and a confirmation have it from the probabilities, and count it.
    """
    datasets = {name: {"val": of_splits["val"]} for name, of_splits in statistics["datasets"].items()}
    return {"datasets": datasets, "mean": {"val": statistics["mean"]["val"]}}


def _summary(value: float, sample: Floats) -> dict[str, Any]:
    return {
        "auc": value,
        "standard_error": float(sample.std(ddof=1)),
        "ci95": list(percentile_interval(sample)),
    }
