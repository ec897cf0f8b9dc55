"""The synthetic stand-ins: their format, their sameness, and what a network has to learn from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from medevonet.data.dataset import LabelKind, load_dataset, load_datasets
from medevonet.data.demo import STAND_INS
from medevonet.task import DEMO_NAMES
from tests.support.npz_files import assert_holds, refusal


@pytest.mark.parametrize(
    ("name", "kind", "outputs", "channels"),
    [
        ("demo-breastmnist", "binary", 2, 1),
        ("demo-pneumoniamnist", "binary", 2, 1),
        ("demo-octmnist", "multi-class", 4, 1),
        ("demo-dermamnist", "multi-class", 7, 3),
        ("demo-chestmnist", "multi-label", 14, 1),
    ],
)
def test_demo_data_are_real_files_in_the_shape_of_their_models(
    name: str, kind: LabelKind, outputs: int, channels: int, tmp_path: Path
) -> None:
    dataset = load_dataset(name, 28, cache=tmp_path)
    assert (dataset.label_kind, dataset.outputs, dataset.channels) == (kind, outputs, channels)
    (file,) = tmp_path.rglob("*.npz")
    with np.load(file) as arrays:
        assert_holds(dataset, dict(arrays))
        labels = arrays["train_labels"]
    shares = labels.mean(axis=0) if kind == "multi-label" else np.bincount(labels[:, 0]) / len(labels)
    assert shares.max() >= 2 * shares.min(), "the classes are imbalanced, as in the real sets"


def test_demo_data_are_equal_byte_for_byte(tmp_path: Path) -> None:
    for cache in ("a", "b"):
        load_datasets(DEMO_NAMES, 16, cache=tmp_path / cache)
    first, second = (sorted((tmp_path / cache).rglob("*.npz")) for cache in ("a", "b"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert len({file.read_bytes() for file in first}) == 5


def test_demo_classes_differ_in_texture_and_not_in_place(tmp_path: Path) -> None:
    """A linear model finds nothing in the pixels, and much in their power spectrum, which knows no place."""
    dataset = load_dataset("demo-pneumoniamnist", 28, cache=tmp_path)

    def val_auc(features: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]) -> float:
        x, x_val = (features(dataset.load_images(split)) for split in ("train", "val"))
        y, y_val = (dataset.load_labels(split)[:, 0] for split in ("train", "val"))
        scale = x.std(axis=0) + 1e-9
        model = LogisticRegression(C=0.01, max_iter=500).fit(x / scale, y)
        return float(roc_auc_score(y_val, model.decision_function(x_val / scale)))

    pixels = val_auc(lambda images: images.reshape(len(images), -1).astype(float))
    texture = val_auc(lambda images: np.log(np.abs(np.fft.rfft2(images)).reshape(len(images), -1) + 1))
    assert pixels < 0.65
    assert texture > 0.85


def test_every_demo_name_has_a_stand_in() -> None:
    assert tuple(STAND_INS) == DEMO_NAMES


@pytest.mark.parametrize("size", [16, 64])
def test_other_sizes(size: int, tmp_path: Path) -> None:
    images = load_dataset("demo-dermamnist", size, cache=tmp_path).load_images("val")
    assert images.shape == (180, size, size, 3)


@pytest.mark.parametrize("size", [15, 225])
def test_sizes_out_of_range(size: int, tmp_path: Path) -> None:
    message = refusal(DEMO_NAMES[0], size, cache=tmp_path)
    assert message.startswith("task.size: expected 16 to 224 pixels")
    assert message.endswith(f"found {size}: --set task.size=28")
