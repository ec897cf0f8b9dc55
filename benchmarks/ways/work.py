"""The work that every way does, and the figures that each reports."""

import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.data.dataset import DatasetConfig

BATCH, MAX_LR, WEIGHT_DECAY = 64, 3e-3, 0.01
_SHARES = {"train": 1.0, "val": 0.25, "test": 0.25}


@dataclass(frozen=True)
class Work:
    """One program on grey images of one size; the first of the epochs is not counted."""

    program: str
    size: int
    images: int  # of the training split; a quarter as many each for validation and test
    epochs: int
    folder: str  # with images.npz

    @classmethod
    def from_command_line(cls) -> "Work":
        return cls(**json.loads(sys.argv[1]))

    @property
    def file(self) -> Path:
        return Path(self.folder) / "images.npz"

    @property
    def dataset(self) -> DatasetConfig:
        return DatasetConfig(name="images", path=self.file, label_kind="binary")

    def write(self) -> None:
        """Noise with a brighter middle in one of the two classes, in MedMNIST's format."""
        rng = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        middle = slice(self.size // 4, self.size // 2)
        for split, share in _SHARES.items():
            count = int(self.images * share)
            labels = np.arange(count) % 2
            images = rng.integers(0, 200, (count, self.size, self.size), dtype=np.uint8)
            images[labels == 1, middle, middle] += 40
            arrays |= {f"{split}_images": images, f"{split}_labels": labels[:, None].astype(np.uint8)}
        np.savez(self.file, **arrays)


@dataclass(frozen=True)
class Figures:
    """What one way took. Rates are of the counted epochs."""

    start_up: float  # seconds until the first batch is trained on
    epoch: float  # seconds of one epoch with its validation
    training: float | None  # images a second; None where only epochs can be seen
    predicting: float | None
    whole: float  # seconds of everything after start-up
    memory_mb: float  # resident, at its peak, of the largest process
    precision: str

    def report(self) -> None:
        print(json.dumps(asdict(self)))


def peak_mb() -> float:
    """Of this process and of the largest of its children that have ended."""
    return (
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        / 1024
    )
