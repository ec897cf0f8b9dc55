"""The words in which bad files, names, sizes and folders are refused: expected, found, what to do."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from medevonet.data.dataset import DatasetConfig, LabelKind, load_dataset, load_datasets
from medevonet.data.sources import medmnist_info
from medevonet.task import MEDMNIST_NAMES
from openevolve.errors import UserError
from tests.support.npz_files import leftovers, own, refusal, small_arrays

IMAGES, LABELS = small_arrays()["val_images"], small_arrays()["val_labels"]  # (6, 8, 8) and (6, 1)
ZEROS = np.zeros((12, 1), np.int64)


@pytest.mark.parametrize(
    ("key", "array", "words"),
    [
        ("val_images", IMAGES / 255, "expected uint8, found float64"),
        ("val_images", IMAGES[:, :6], r"expected shape \(N, 8, 8\), found \(6, 6, 8\)"),
        (
            "val_images",
            np.zeros((6, 9, 9), np.uint8),
            r"expected shape \(N, 8, 8\), found \(6, 9, 9\): --set task.size=9 takes",
        ),
        (
            "val_images",
            np.zeros((6, 8, 8, 3), np.uint8),
            r"expected shape \(N, 8, 8\), found \(6, 8, 8, 3\)\. Corr",
        ),
        ("train_images", np.zeros((6, 8, 8, 1), np.uint8), r"expected .*8, 3\), found \(6, 8, 8, 1\)"),
        ("val_images", IMAGES[:0], "expected at least one image, found none"),
        ("val_images", np.uint8(3), r"expected shape \(N, 8, 8\), found \(\)"),
        ("val_images", np.array([{}] * 6), "expected a plain array, found none .*Python object"),
        ("val_labels", np.array([[None]] * 6), "expected a plain array, found none .*Python object"),
        ("val_labels", np.array([["0"]] * 6), r"expected integers, .* found <U1 of shape \(6, 1\)"),
        ("val_labels", LABELS / 1, "expected integers, .* found float64"),
        ("val_labels", np.uint8(1), r"expected integers, .* found uint8 of shape \(\)"),
        ("val_labels", LABELS[..., None], r"expected integers, .* found uint8 of shape \(6, 1, 1\)"),
        ("val_labels", LABELS[:-1], r"expected shape \(6, 1\) for binary labels, found \(5, 1\)"),
        ("val_labels", np.hstack([LABELS, LABELS]), r"expected shape \(6, 1\) .* found \(6, 2\)"),
        ("val_labels", LABELS + 1, "expected labels from 0 to 1, found 1 to 2"),
        ("val_labels", LABELS * 0, "expected images of every class from 0 to 1, found none of class 1"),
        ("test_labels", LABELS * 0 + 1, "expected images of every class from 0 to 1, found none of class 0"),
    ],
)
def test_binary_arrays(key: str, array: npt.NDArray[Any], words: str, tmp_path: Path) -> None:
    config, cache = own(tmp_path / "own.npz", changes={key: array}), tmp_path / "cache"
    with pytest.raises(UserError, match=f"^{tmp_path}/own.npz: {key}: {words}") as error:
        load_dataset(config, 8, cache=cache)
    assert "It must hold train_images" in str(error.value)
    assert refusal(config, cache=cache) == str(error.value), "a second try says the same"
    assert {path.name for path in cache.iterdir()} == {"lock", "md5"}, "nothing of a refused file is kept"


@pytest.mark.parametrize(
    ("kind", "key", "array", "words"),
    [
        ("multi-class", "train_labels", ZEROS, "every class from 0 to 1, found none of class 1"),
        ("multi-class", "train_labels", ZEROS - 1, "labels from 0 to 1, found -1 to -1"),
        ("multi-class", "train_labels", ZEROS + 10**9, "at most 256 classes, found .* 0 to 1000000000"),
        ("multi-class", "val_labels", LABELS, "every class from 0 to 2, found none of class 2"),
        ("multi-class", "val_labels", np.arange(6), "labels from 0 to 2, found 0 to 5"),
        ("multi-label", "val_labels", LABELS * [1, 0], "with and without each label, found label 1 always 0"),
        ("multi-label", "val_labels", LABELS | [0, 1], "with and without each label, found label 1 always 1"),
        ("multi-label", "val_labels", LABELS * [1, 2], "labels from 0 to 1, found 0 to 2"),
        (
            "multi-label",
            "train_labels",
            ZEROS[:, :0],
            r"shape \(12, 1\) for multi-label labels, found \(12, 0\)",
        ),
        ("multi-label", "val_labels", LABELS, r"shape \(6, 2\) for multi-label labels, found \(6, 1\)"),
    ],
)
def test_labels_of_other_kinds(
    kind: LabelKind, key: str, array: npt.NDArray[Any], words: str, tmp_path: Path
) -> None:
    config = own(tmp_path / "own.npz", kind, {key: array})
    with pytest.raises(UserError, match=f"{key}: expected .*{words}"):
        load_dataset(config, 8, cache=tmp_path / "cache")


def test_a_file_without_a_key(tmp_path: Path) -> None:
    arrays = small_arrays()
    del arrays["val_labels"]
    np.savez(tmp_path / "own.npz", **arrays)  # type: ignore[arg-type]
    config = DatasetConfig(name="own", path=tmp_path / "own.npz", label_kind="binary")
    message = refusal(config, cache=tmp_path / "cache")
    assert "expected an array val_labels, found only train_images.npy" in message


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_npz(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(content)
    config = DatasetConfig(name="own", path=tmp_path / "own.npz", label_kind="binary")
    assert "expected a" in refusal(config, cache=tmp_path / "cache")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    config = DatasetConfig(name="own", path=tmp_path / "own.npz", label_kind="binary")
    assert "own.npz: dataset: expected a file, found none. Correct" in refusal(config, cache=tmp_path)
    message = refusal("octmnist", 64, root=tmp_path, cache=tmp_path, download=False)
    assert str(tmp_path / "octmnist_64.npz") in message
    assert medmnist_info()["octmnist"]["url_64"] in message
    assert "MEDMNIST_ROOT" in message


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = refusal(own(tmp_path / "own.npz"), cache=tmp_path / "file" / "cache")
    assert f"to write to the cache folder {tmp_path / 'file' / 'cache'}, found [Errno 20]" in message
    assert "set MEDEVONET_CACHE" in message


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    config = own(tmp_path / "own.npz", changes=small_arrays(size=64))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))  # as ENOSPC: a write ends in OSError
    try:
        message = refusal(config, 64, cache=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Check permissions and free space" in message
    assert leftovers(tmp_path) == []
    assert load_dataset(config, 64, cache=tmp_path / "cache").count("train") == 12


def test_names_and_sizes_that_do_not_exist(tmp_path: Path) -> None:
    message = refusal("beastmnist", cache=tmp_path)
    assert "found 'beastmnist'" in message
    assert all(name in message for name in (*MEDMNIST_NAMES, "demo-octmnist", "bloodmnist"))
    assert "organmnist3d" not in message
    message = refusal("octmnist", 32, cache=tmp_path)
    assert message.startswith("task.size: expected 28, 64, 128 or 224 pixels, in which there is octmnist")
    assert message.endswith("found 32: --set task.size=28")
    with pytest.raises(ValidationError, match="name"):
        DatasetConfig(name="../own", path=tmp_path, label_kind="binary")


def test_names_must_differ(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected different names, found own repeated"):
        load_datasets([own(tmp_path / "own.npz")] * 2, 8, cache=tmp_path)


@pytest.mark.parametrize("named_by", ["variable", "setting"])
def test_a_data_folder_that_is_not_there_is_not_made(
    named_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "typo"
    monkeypatch.setenv("MEDMNIST_ROOT", str(root))
    message = refusal("octmnist", 28, root=root if named_by == "setting" else None, cache=tmp_path / "cache")
    assert f"expected a folder, found none at {root}" in message
    assert "MEDMNIST_ROOT" in message
    assert not root.exists()


def test_the_usual_folder_is_made_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDMNIST_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    message = refusal("octmnist", 28, cache=tmp_path / "cache", download=False)
    assert f"{tmp_path}/.medmnist/octmnist.npz" in message
