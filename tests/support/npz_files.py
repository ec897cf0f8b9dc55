"""Small datasets in MedMNIST's file format, intact or with one thing changed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medevonet.data.dataset import SPLITS, Dataset, DatasetConfig, LabelKind, load_dataset
from openevolve.errors import UserError

Arrays = dict[str, npt.NDArray[Any]]
COUNTS = {"train": 12, "val": 6, "test": 6}


def small_arrays(kind: LabelKind = "binary", size: int = 8, channels: int = 1) -> Arrays:
    """2 outputs, 3 for multi-class; every split holds every class."""
    rng = np.random.default_rng(7)
    arrays: Arrays = {}
    for split, count in COUNTS.items():
        shape = (count, size, size, 3) if channels == 3 else (count, size, size)
        arrays[f"{split}_images"] = rng.integers(0, 256, shape, dtype=np.uint8)
        classes = np.arange(count, dtype=np.uint8)[:, None] % (3 if kind == "multi-class" else 2)
        arrays[f"{split}_labels"] = np.hstack([classes, 1 - classes]) if kind == "multi-label" else classes
    return arrays


def own(path: Path, kind: LabelKind = "binary", changes: Arrays | None = None) -> DatasetConfig:
    """Write ``small_arrays`` with some of them replaced; the entry of a config that names the file."""
    arrays: dict[str, Any] = small_arrays(kind) | (changes or {})
    np.savez_compressed(path, **arrays)
    return DatasetConfig(name="own", path=path, label_kind=kind)


def assert_holds(dataset: Dataset, arrays: Arrays) -> None:
    for split in SPLITS:
        np.testing.assert_array_equal(dataset.load_images(split), arrays[f"{split}_images"])
        np.testing.assert_array_equal(dataset.load_labels(split), arrays[f"{split}_labels"])
        assert dataset.count(split) == len(arrays[f"{split}_images"])


def refusal(entry: str | DatasetConfig, size: int = 8, **options: Any) -> str:
    """The text of the UserError that loading must end in."""
    with pytest.raises(UserError) as error:
        load_dataset(entry, size, **options)
    return str(error.value)


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))
