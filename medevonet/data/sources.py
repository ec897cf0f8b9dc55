"""Where the file of a dataset is, how it is had, and what it must hold.

Four kinds: a MedMNIST file (downloaded), a synthetic stand-in (generated), the user's own file, and what
another package offers.
"""

import functools
import hashlib
import importlib.util
import runpy
import shutil
import urllib.request
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.data import demo as demo_data
from medevonet.label_kind import LabelKind
from medevonet.task import DATA_VARIABLE, DEMO_NAMES, USUAL_FOLDER, DatasetConfig
from openevolve.errors import UserError

GROUP = "medevonet.data"  # entry points of other packages, by the name of a data set

MEDMNIST_SIZES = (28, 64, 128, 224)
DEMO_SIZES = range(16, 225)

_LABEL_KINDS: dict[str, LabelKind] = {
    "binary-class": "binary",
    "multi-class": "multi-class",
    "ordinal-regression": "multi-class",  # medmnist too computes its AUC one-vs-rest
    "multi-label, binary-class": "multi-label",
}


@dataclass(frozen=True)
class Source:
    """Where a dataset's file is, how to get it, and what it must hold. ``None``: whatever the file has."""

    name: str
    path: Path
    label_kind: LabelKind
    remedy: str
    provide: Callable[[Path], None] | None
    md5: str | None = None
    outputs: int | None = None
    channels: int | None = None

    def refusal(self, what: str, expected: object, found: object) -> UserError:
        return UserError(f"{self.path}: {what}: expected {expected}, found {found}. {self.remedy}")


def find_source(entry: str | DatasetConfig, size: int, root: Path, cache: Path, download: bool) -> Source:
    """The source of an entry; touches no file. Raises UserError for an unknown name, a size that it does not
    come in, or a folder that is not there."""
    if isinstance(entry, DatasetConfig):
        return _own_source(entry)
    if entry in DEMO_NAMES:
        return _demo_source(entry, size, cache)
    if entry in medmnist_info():
        return _medmnist_source(entry, size, root, download)
    offered = entry_points(group=GROUP)
    if entry in offered.names:
        return _offered_source(offered[entry], size, cache)
    names = (*medmnist_info(), *DEMO_NAMES, *sorted(offered.names))
    raise UserError(
        f"task.datasets: expected one of {', '.join(names)}, found {entry!r}. "
        "Correct the name, or give your own file as a mapping with name, path and label_kind."
    )


def _own_source(config: DatasetConfig) -> Source:
    remedy = (
        "Correct the path, the label kind or the file. It must hold train_images, val_images, test_images: "
        "uint8, (N, size, size) or (N, size, size, 3), with the run's image size; and train_labels, "
        "val_labels, test_labels: integers, (N, 1) classes or (N, labels) of 0 and 1."
    )
    return Source(config.name, config.path.expanduser(), config.label_kind, remedy, provide=None)


def _demo_source(name: str, size: int, cache: Path) -> Source:
    if size not in DEMO_SIZES:
        raise UserError(
            f"task.size: expected 16 to 224 pixels, in which there is {name}, found {size}: "
            "--set task.size=28"
        )
    stand_in = demo_data.STAND_INS[name]
    # A changed generator must not meet files of the old one.
    generator = hashlib.md5(Path(demo_data.__file__).read_bytes(), usedforsecurity=False).hexdigest()
    return Source(
        name=name,
        path=cache / f"demo-{generator[:8]}" / f"{name}_{size}.npz",
        label_kind=stand_in.label_kind,
        remedy="Delete the file: it is generated again.",
        provide=functools.partial(_generate, name, size),
        outputs=stand_in.outputs,
        channels=stand_in.channels,
    )


def _offered_source(point: EntryPoint, size: int, cache: Path) -> Source:
    """Of another package: a function of the size and the cache folder that returns a ``Source``.

    Its file has to lie in the cache, which no program may read.
    """
    source = point.load()(size, cache)
    if not isinstance(source, Source) or source.name != point.name:
        raise UserError(f"{point.value}: expected a Source named {point.name}, found {source!r:.80}")
    if not source.path.absolute().is_relative_to(cache.absolute()):
        raise UserError(f"{point.value}: expected a file below {cache}, found {source.path}")
    return source


def _medmnist_source(name: str, size: int, root: Path, download: bool) -> Source:
    if size not in MEDMNIST_SIZES:
        nearest = min(MEDMNIST_SIZES, key=lambda known: abs(known - size))
        raise UserError(
            f"task.size: expected 28, 64, 128 or 224 pixels, in which there is {name}, found {size}: "
            f"--set task.size={nearest}"
        )
    if not root.is_dir() and root != Path(USUAL_FOLDER).expanduser():
        raise UserError(
            f"{DATA_VARIABLE} or task.data_root: expected a folder, found none at {root}. Correct the path, "
            "or make the folder: what is missing in it is downloaded."
        )
    facts, suffix = medmnist_info()[name], "" if size == 28 else f"_{size}"
    url = facts[f"url{suffix}"]
    return Source(
        name=name,
        path=root / f"{name}{suffix}.npz",
        label_kind=_LABEL_KINDS[facts["task"]],
        remedy=f"Put the file from {url} there, or set {DATA_VARIABLE} to the folder that holds it.",
        provide=functools.partial(_download, url) if download else None,
        md5=facts[f"MD5{suffix}"],
        outputs=len(facts["label"]),
        channels=facts["n_channels"],
    )


@functools.cache
def medmnist_info() -> dict[str, dict[str, Any]]:
    """The 2D sets of ``medmnist.INFO``, without importing torch, as ``import medmnist`` would (seconds)."""
    package = importlib.util.find_spec("medmnist")
    if package is None or package.origin is None:
        raise UserError("expected the package medmnist, found none. Install the project's dependencies.")
    with warnings.catch_warnings(action="ignore"):  # about its own default folder, where home is read-only
        info = runpy.run_path(str(Path(package.origin).with_name("info.py")))["INFO"]
    return {name: facts for name, facts in info.items() if "url_224" in facts}


def _generate(name: str, size: int, target: Path) -> None:
    arrays: dict[str, Any] = {**demo_data.demo_arrays(name, size)}
    with target.open("wb") as file:
        np.savez(file, **arrays)


def _download(url: str, target: Path) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    with urllib.request.urlopen(url, timeout=60) as response, target.open("wb") as file:
        length, screen = response.length or 0, Console(stderr=True)
        with wrap_file(response, length, description=target.stem, console=screen) as stream:
            shutil.copyfileobj(stream, file)
