"""Write data/cifar10.npz: CIFAR-10 as torchvision downloads it, or made images with --stand-in.

A stand-in has the classes in its colours and stripes: its scores say nothing of CIFAR-10.
"""

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "data"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    splits = stand_in() if "--stand-in" in sys.argv else downloaded()
    np.savez(FOLDER / "cifar10.npz", **splits)  # type: ignore[arg-type]
    counts = len(splits["images"]), len(splits["test_images"])
    print("data/cifar10.npz: {} images for the search, {} for its end".format(*counts))


def downloaded() -> dict[str, np.ndarray]:
    from torchvision.datasets import CIFAR10

    train, test = (CIFAR10(str(FOLDER), train=part, download=True) for part in (True, False))
    return {
        "images": train.data, "labels": np.array(train.targets),
        "test_images": test.data, "test_labels": np.array(test.targets),
    }  # fmt: skip


def stand_in(count: int = 600) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=count)
    rows = np.arange(32)
    waves = np.sin(rows[None, :, None] * (1 + labels[:, None, None]) / 5 + rng.random((count, 1, 1)))
    images = 128 + 50 * waves[..., None] + 30 * rng.standard_normal((count, 32, 32, 3))
    images[..., 0] += 6.0 * labels[:, None, None]
    made = np.clip(images, 0, 255).astype(np.uint8)
    split = count * 5 // 6
    return {
        "images": made[:split], "labels": labels[:split],
        "test_images": made[split:], "test_labels": labels[split:],
    }  # fmt: skip


if __name__ == "__main__":
    main()
