"""A data source: stripes that lie flat, or stand."""

from pathlib import Path
from typing import Any

import numpy as np

from medevonet.data.sources import Source

_COUNTS = {"train": 96, "val": 60, "test": 60}


def stripes(size: int, cache: Path) -> Source:
    """A binary data set that is generated once, ``size`` pixels high and wide."""
    return Source(
        name="stripes",
        path=cache / "evolution-extras" / f"stripes_{size}.npz",
        label_kind="binary",
        remedy="Delete the file: it is generated again.",
        provide=lambda target: _generate(size, target),
        outputs=2,
        channels=1,
    )


def _generate(size: int, target: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in _COUNTS.items():
        labels = np.arange(count) % 2
        waves = np.sin(np.arange(size) * 2 * np.pi / 7 + rng.uniform(0, 6, (count, 1)))
        flat = np.repeat(waves[:, :, None], size, axis=2)
        images = np.where(labels[:, None, None] == 1, flat.transpose(0, 2, 1), flat)
        noisy = 128 + 30 * images + rng.normal(0, 40, images.shape)
        arrays[f"{split}_images"] = noisy.clip(0, 255).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
    with target.open("wb") as file:  # of a path NumPy would change the name
        np.savez(file, **arrays)
