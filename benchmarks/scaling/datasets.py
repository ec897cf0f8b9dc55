"""How a candidate's start and memory grow with the number of images, in memory-mapped arrays of 28 px."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medevonet.data.dataset import DatasetConfig, load_dataset
from medevonet.data.demo import demo_arrays
from medevonet.referee.starting import CandidateStarter
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import ForkServer
from openevolve.evaluating.isolation.watch import descendants

_PROGRAM = Path(__file__).resolve().parents[2] / "seed_program.py"
_SIZE = 28


@dataclass(frozen=True)
class Point:
    images: int  # in all splits
    unpacking: float  # seconds, once for each file
    looking_up: float  # milliseconds, in every evaluation
    starting: float  # milliseconds from the fork to a network that can be trained
    private_mb: float  # of the candidate, after it has predicted the validation split
    shared_mb: float  # of it, backed by files: the bytes that all candidates share


def measure(images: int, server: ForkServer) -> Point:
    """One file of so many images: unpacked, looked up again, given to a candidate."""
    with tempfile.TemporaryDirectory(prefix="scale_") as name:
        folder = Path(name)
        entry = _file(folder, images)
        start = time.perf_counter()
        load_dataset(entry, _SIZE, cache=folder / "cache")
        unpacked = time.perf_counter()
        dataset = load_dataset(entry, _SIZE, cache=folder / "cache")
        looked_up = time.perf_counter()
        task = TaskConfig(size=_SIZE, device="cpu", threads=1)
        starter = CandidateStarter(_PROGRAM.read_bytes(), task, None, None, "strict", server, folder)
        forked = time.perf_counter()
        with starter.start(dataset) as candidate:
            candidate.load([dataset.outputs], "fp32")
            candidate.start(seed=0)
            started = time.perf_counter()
            candidate.predict("val")
            private, shared = _resident_mb(descendants(os.getpid())[-1])
    return Point(
        images=images,
        unpacking=unpacked - start,
        looking_up=1e3 * (looked_up - unpacked),
        starting=1e3 * (started - forked),
        private_mb=private,
        shared_mb=shared,
    )


def _file(folder: Path, images: int) -> DatasetConfig:
    """The synthetic BreastMNIST's images, over and over, in its own shares of the splits."""
    arrays = demo_arrays("demo-breastmnist", _SIZE)
    total = sum(len(array) for key, array in arrays.items() if key.endswith("_labels"))
    repeated = {}
    for key, array in arrays.items():
        count = max(len(array), round(images * len(array) / total))
        repeated[key] = array[np.arange(count) % len(array)]
    path = folder / "images.npz"
    np.savez_compressed(path, **repeated)  # type: ignore[arg-type]  # numpy's stub takes a flag for an array
    return DatasetConfig(name="repeated", path=path, label_kind="binary")


def _resident_mb(pid: int) -> tuple[float, float]:
    """Anonymous memory, and pages that files back."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return int(fields["RssAnon"]) / 1024, int(fields["RssFile"]) / 1024
