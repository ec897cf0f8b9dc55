"""Synthetic stand-ins for the five datasets: what `--demo` and the tests train on.

An image is a smooth background with blobs, on which every finding is a patch of ripples at a
random place, of random extent, phase and tint. A class (or label) is known by the ripples' frequency
and orientation, never by where the patch lies or how bright it is. So a network that looks for local
texture everywhere and pools it scores higher than one that learns each position by itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medevonet.label_kind import LabelKind

SEED = 20260512
COUNTS = {"train": 320, "val": 180, "test": 200}


@dataclass(frozen=True)
class StandIn:
    """What one synthetic dataset takes from its model, and how hard it is.

    ``shares`` holds the share of images of each class, or with each label. Finding ``k`` ripples with
    ``frequencies[k % len(frequencies)]`` periods across the image; the angles are spread over half a turn.
    """

    channels: int
    label_kind: LabelKind
    shares: tuple[float, ...]
    frequencies: tuple[float, ...]
    contrast: float

    @property
    def outputs(self) -> int:
        return len(self.shares)

    def ripple(self, finding: int) -> tuple[float, float]:
        """The frequency (periods across the image) and the angle (radians) of a finding."""
        turn, tone = divmod(finding, len(self.frequencies))
        angles = -(-self.outputs // len(self.frequencies))
        return self.frequencies[tone], np.pi * turn / angles


# Shares of classes are those of the real training splits, raised to at least 5%; those of the chest's
# labels are made up. Contrasts were tuned until the seed network was well above chance and well below 1.
STAND_INS = {
    "demo-breastmnist": StandIn(1, "binary", (0.27, 0.73), (5.0, 8.0), 0.4),
    "demo-pneumoniamnist": StandIn(1, "binary", (0.26, 0.74), (6.5,), 0.32),
    "demo-octmnist": StandIn(1, "multi-class", (0.34, 0.11, 0.08, 0.47), (5.0, 8.0), 0.4),
    "demo-dermamnist": StandIn(3, "multi-class", (0.05, 0.05, 0.1, 0.05, 0.1, 0.6, 0.05), (5.0, 8.0), 0.55),
    "demo-chestmnist": StandIn(1, "multi-label", tuple(np.linspace(0.20, 0.06, 14)), (4.5, 6.5, 8.5), 0.9),
}


def demo_arrays(name: str, size: int) -> dict[str, npt.NDArray[np.uint8]]:
    """The six arrays of a MedMNIST file (``train_images``, ``train_labels``, ...), the same on every call.

    Images are (N, size, size) or (N, size, size, 3); labels (N, 1) class indices or (N, outputs) of 0 and 1.
    """
    stand_in = STAND_INS[name]
    rng = np.random.default_rng([SEED, list(STAND_INS).index(name)])
    arrays = {}
    for split, count in COUNTS.items():
        labels = _labels(stand_in, count, rng)
        present = labels if stand_in.label_kind == "multi-label" else np.eye(stand_in.outputs)[labels[:, 0]]
        images = np.stack([_image(stand_in, np.flatnonzero(row), size, rng) for row in present])
        arrays[f"{split}_images"] = images[..., 0] if stand_in.channels == 1 else images
        arrays[f"{split}_labels"] = labels
    return arrays


def _labels(stand_in: StandIn, count: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Labels in random order and in exact shares, so that no class is missing from a split."""
    if stand_in.label_kind == "multi-label":
        columns = [rng.permutation(count) < share * count for share in stand_in.shares]
        return np.stack(columns, axis=1).astype(np.uint8)
    last = np.cumsum(stand_in.shares)[:-1] * count
    return rng.permutation(np.searchsorted(last, np.arange(count), side="right")).astype(np.uint8)[:, None]


def _image(
    stand_in: StandIn, findings: npt.NDArray[np.intp], size: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    axis = (np.arange(size) + 0.5) / size
    y, x = axis[:, None], axis[None, :]
    slope = rng.normal(0, 0.1, 2)
    image = 0.5 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5)
    for _ in range(3):
        image = image + rng.normal(0, 0.12) * _bump(x, y, rng.uniform(0, 1, 2), rng.uniform(0.1, 0.3))
    image = np.repeat(image[:, :, None], stand_in.channels, axis=2)
    for finding in findings:
        frequency, angle = stand_in.ripple(int(finding))
        angle += rng.normal(0, 0.12)
        along = x * np.cos(angle) + y * np.sin(angle)
        waves = np.sin(2 * np.pi * (frequency * along + rng.random()))
        patch = waves * _bump(x, y, rng.uniform(0.2, 0.8, 2), rng.uniform(0.13, 0.2))
        image += stand_in.contrast * patch[:, :, None] * rng.uniform(0.2, 1, stand_in.channels)
    image += rng.normal(0, 0.1, image.shape)
    return (255 * image.clip(0, 1)).round().astype(np.uint8)


def _bump(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], centre: npt.NDArray[np.float64], radius: float
) -> npt.NDArray[np.float64]:
    """A Gaussian of height 1 over the unit square, (size, size)."""
    bump: npt.NDArray[np.float64] = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
    return bump
