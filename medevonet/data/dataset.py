"""Datasets as memory-mapped arrays: MedMNIST, the user's own ``.npz`` files, synthetic stand-ins.

A file is checked and unpacked once; from then on every process maps the same bytes:

    <cache>/<MD5 of the file>/images/{train,val,test}.npy     uint8, (N, H, W) grey or (N, H, W, 3) RGB
                              train_labels/train.npy          int64, (N, 1) classes or (N, outputs) 0/1
                              held_out_labels/{val,test}.npy  likewise

Labels lie apart from images, and held-out labels apart from those of training, so that a sandbox can
let a folder in and keep its neighbours out. Colour, scaling and devices are the trainer's concern.
"""

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medevonet.data import cache as npz_cache
from medevonet.data.sources import Source, find_source
from medevonet.label_kind import LabelKind
from medevonet.task import DatasetConfig, data_folder
from openevolve.errors import UserError

__all__ = [
    "SPLITS",
    "Dataset",
    "DatasetConfig",
    "LabelKind",
    "load_dataset",
    "load_datasets",
]

SPLITS = ("train", "val", "test")

_MOST_CLASSES = 256  # artifacts keep held-out labels as uint8


@dataclass(frozen=True)
class Dataset:
    """One dataset at one image size: what it is, and where its arrays lie.

    ``outputs`` is the number of logits (classes, or labels of a multi-label set), ``channels`` 1 or 3,
    ``size`` the height and width in pixels. ``images`` and ``labels`` map a split to its ``.npy`` file.
    """

    name: str
    label_kind: LabelKind
    outputs: int
    channels: int
    size: int
    images: Mapping[str, Path]
    labels: Mapping[str, Path]

    def load_images(self, split: str) -> npt.NDArray[np.uint8]:
        """Memory-mapped, read-only: (N, size, size) grey or (N, size, size, 3) RGB."""
        return npz_cache.open_array(self.images[split])

    def load_labels(self, split: str) -> npt.NDArray[np.int64]:
        """Memory-mapped, read-only: (N, 1) class indices or (N, outputs) of 0 and 1."""
        return npz_cache.open_array(self.labels[split])

    def count(self, split: str) -> int:
        return len(self.load_labels(split))


def load_datasets(
    entries: Sequence[str | DatasetConfig],
    size: int,
    *,
    root: Path | None = None,
    cache: Path | None = None,
    download: bool = True,
) -> list[Dataset]:
    """``load_dataset`` for each entry; their names must differ, since results are filed under them."""
    names = [entry if isinstance(entry, str) else entry.name for entry in entries]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"task.datasets: expected different names, found {', '.join(repeated)} repeated. Rename one."
        )
    return [load_dataset(entry, size, root=root, cache=cache, download=download) for entry in entries]


def load_dataset(
    entry: str | DatasetConfig,
    size: int,
    *,
    root: Path | None = None,
    cache: Path | None = None,
    download: bool = True,
) -> Dataset:
    """Find, check and unpack one dataset; later calls only look it up.

    ``entry`` is a MedMNIST 2D name, looked for in ``root`` (default ``$MEDMNIST_ROOT``, else
    ``~/.medmnist``), a name of ``DEMO_NAMES``, or the user's own file. ``cache`` defaults to
    ``npz_cache.default_folder()``.
    Raises UserError for whatever is wrong with the name, the size, the file or the cache.
    """
    root = data_folder(root)
    cache = cache or npz_cache.default_folder()
    source = find_source(entry, size, root, cache, download)
    try:
        # A known file needs neither the lock nor a write, so that the cache may be read-only.
        md5 = npz_cache.recall_md5(source.path, cache)
        if md5 is None or source.md5 not in (None, md5) or not (cache / md5).is_dir():
            with npz_cache.locked(cache):
                md5 = _admit(source, size, cache)
    except OSError as error:
        raise UserError(
            f"{source.name}: expected to read {source.path} and to write to the cache folder {cache}, "
            f"found {error}. Check permissions and free space, or set {npz_cache.FOLDER_VARIABLE} to another "
            "folder."
        ) from error
    return _describe(source, size, cache / md5)


def _admit(source: Source, size: int, cache: Path) -> str:
    """Get the file if it is missing, check it and unpack it; returns its MD5. The caller holds the lock."""
    if not source.path.is_file():
        _provide(source)
    md5 = npz_cache.recall_md5(source.path, cache) or npz_cache.remember_md5(source.path, cache)
    _check_md5(source, md5)
    if not (cache / md5).is_dir():
        with npz_cache.staged(cache / md5) as folder:
            _unpack(source, folder)
            _describe(source, size, folder)
    return md5


def _provide(source: Source) -> None:
    if source.provide is None:
        raise source.refusal("dataset", "a file", "none")
    source.path.parent.mkdir(parents=True, exist_ok=True)
    with npz_cache.staged(source.path) as part:
        try:
            source.provide(part)
        except (OSError, http.client.HTTPException) as error:
            raise source.refusal("dataset", "to download or generate it", error) from error
        if source.md5 is not None:
            _check_md5(source, npz_cache.file_md5(part))


def _check_md5(source: Source, found: str) -> None:
    if source.md5 not in (None, found):
        raise source.refusal("truncated or altered", f"the published MD5 {source.md5}", found)


def _unpack(source: Source, folder: Path) -> None:
    images, labels = _files(folder)
    members = {f"{split}_images": images[split] for split in SPLITS}
    members |= {f"{split}_labels": labels[split] for split in SPLITS}
    try:
        npz_cache.extract(source.path, members)
    except npz_cache.NpzError as error:
        raise UserError(f"{source.path}: {error}. {source.remedy}") from error
    for split in SPLITS:
        array = npz_cache.open_array(labels[split])
        if array.dtype.kind not in "biu" or array.ndim not in (1, 2):
            found = f"{array.dtype} of shape {array.shape}"
            raise source.refusal(f"{split}_labels", "integers, (N, 1) or (N, labels)", found)
        # Files differ in their integers and in (N,) or (N, 1); what reads the cache need not.
        np.save(labels[split], (array[:, None] if array.ndim == 1 else array).astype(np.int64))


def _files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The files of images and of labels, by split."""
    images = {split: folder / "images" / f"{split}.npy" for split in SPLITS}
    labels = {split: folder / "held_out_labels" / f"{split}.npy" for split in SPLITS}
    return images, labels | {"train": folder / "train_labels" / "train.npy"}


def _describe(source: Source, size: int, folder: Path) -> Dataset:
    """Check unpacked arrays against the source, against each other and for what an AUC needs."""
    image_files, label_files = _files(folder)
    try:
        images = {split: npz_cache.open_array(file) for split, file in image_files.items()}
        labels = {split: npz_cache.open_array(file) for split, file in label_files.items()}
    except npz_cache.NpzError as error:
        raise UserError(f"{folder}: {error}. Delete this folder: it is made again.") from error
    channels = source.channels or (3 if images["train"].ndim == 4 else 1)
    for split in SPLITS:
        _check_images(source, split, images[split], size, channels)
    outputs = source.outputs or _count_outputs(source.label_kind, labels["train"])
    for split in SPLITS:
        _check_labels(source, split, labels[split], len(images[split]), outputs)
    return Dataset(source.name, source.label_kind, outputs, channels, size, image_files, label_files)


def _check_images(source: Source, split: str, images: npt.NDArray[Any], size: int, channels: int) -> None:
    key = f"{split}_images"
    shape = (size, size) if channels == 1 else (size, size, 3)
    if images.dtype != np.uint8:
        raise source.refusal(key, "uint8", images.dtype)
    if images.shape[1:] != shape:
        square = images.ndim in (3, 4) and images.shape[1] == images.shape[2] != size
        remedy = f": --set task.size={images.shape[1]} takes images of this size" if square else ""
        raise source.refusal(key, f"shape (N, {', '.join(map(str, shape))})", f"{images.shape}{remedy}")
    if len(images) == 0:
        raise source.refusal(key, "at least one image", "none")


def _count_outputs(label_kind: LabelKind, train_labels: npt.NDArray[np.int64]) -> int:
    if label_kind == "binary":
        return 2
    if label_kind == "multi-label":
        return max(1, int(train_labels.shape[1]))
    return max(2, int(train_labels.max(initial=0)) + 1)


def _check_labels(
    source: Source, split: str, labels: npt.NDArray[np.int64], images: int, outputs: int
) -> None:
    """Shape, range, and images with and without each class or label, for no AUC is defined otherwise."""
    key, multi_label = f"{split}_labels", source.label_kind == "multi-label"
    shape = (images, outputs if multi_label else 1)
    if labels.shape != shape:
        raise source.refusal(key, f"shape {shape} for {source.label_kind} labels", labels.shape)
    highest = 1 if multi_label else outputs - 1
    if labels.min() < 0 or labels.max() > highest:
        raise source.refusal(key, f"labels from 0 to {highest}", f"{labels.min()} to {labels.max()}")
    if not multi_label and outputs > _MOST_CLASSES:
        raise source.refusal(key, f"at most {_MOST_CLASSES} classes", f"labels from 0 to {highest}")
    if multi_label:
        constant = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
        if constant.size:
            found = f"label {constant[0]} always {labels[0, constant[0]]}"
            raise source.refusal(key, "images with and without each label", found)
    elif (classes := np.unique(labels)).size < outputs:
        absent = next(label for label in range(outputs) if label not in classes)
        raise source.refusal(key, f"images of every class from 0 to {highest}", f"none of class {absent}")
