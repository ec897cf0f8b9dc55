"""Predictions of random models about the same cases, for tests of artifacts and of their comparison."""

from pathlib import Path

import numpy as np

from medevonet.label_kind import LabelKind
from medevonet.statistics.summaries import DatasetPredictions, SplitPredictions, write_artifact


def split_predictions(kind: LabelKind, cases: int, rng: np.random.Generator) -> SplitPredictions:
    labels_rng = np.random.default_rng(1)  # all models are asked about the same cases
    if kind == "multi-label":
        labels = positive = labels_rng.integers(2, size=(cases, 3))
    else:
        outputs = 2 if kind == "binary" else 4
        labels = labels_rng.integers(outputs, size=(cases, 1))
        positive = (labels == np.arange(outputs)).astype(np.int64)
    logits = positive + rng.normal(size=positive.shape)
    return SplitPredictions((1 / (1 + np.exp(-logits))).astype(np.float32), labels.astype(np.uint8))


def predictions(seed: int) -> dict[str, DatasetPredictions]:
    rng = np.random.default_rng(seed)
    kinds: dict[str, LabelKind] = {"breast": "binary", "derma": "multi-class", "my_chest": "multi-label"}
    return {
        dataset: DatasetPredictions(kind, split_predictions(kind, 40, rng), split_predictions(kind, 60, rng))
        for dataset, kind in kinds.items()
    }


def artifact(folder: Path, seed: int) -> Path:
    write_artifact(folder, f"model-{seed}", {"status": "ok"}, predictions(seed))
    return folder / f"model-{seed}.npz"


def replaced(path: Path, key: str, value: object) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, **(arrays | {key: np.asarray(value)}))
