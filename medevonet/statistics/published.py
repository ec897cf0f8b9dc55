"""What others have published on the test splits of MedMNIST: what a confirmed network stands beside.

Sources: MedMNIST v2, Yang et al., 2023, doi:10.1038/s41597-022-01721-8; MedMNIST+, Doerrich et al., 2024,
arXiv:2404.15786. Parameters are those of the architectures; of Google's service they are not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

V2, PLUS = "MedMNIST v2", "MedMNIST+"

# Images of the official test splits: whoever has another number has other data under the name.
TEST_CASES = {
    "breastmnist": 156,
    "pneumoniamnist": 624,
    "dermamnist": 2005,
    "octmnist": 1000,
    "chestmnist": 22433,
}


@dataclass(frozen=True)
class Published:
    """The test AUC of a network by data set."""

    name: str
    parameters: int | None
    aucs: Mapping[str, float]
    source: str


def _published(name: str, parameters: int | None, source: str, *aucs: float) -> Published:
    return Published(name, parameters, dict(zip(TEST_CASES, aucs, strict=True)), source)


PUBLISHED = (
    _published("ResNet-18, 28 px", 11_200_000, V2, 0.901, 0.944, 0.917, 0.943, 0.768),
    _published("ResNet-18, 224 px from 28", 11_200_000, V2, 0.891, 0.956, 0.920, 0.958, 0.773),
    _published("Google AutoML Vision", None, V2, 0.919, 0.991, 0.914, 0.963, 0.778),
    _published("ResNet-18, 224 px, pretrained", 11_200_000, PLUS, 0.899, 0.980, 0.953, 0.988, 0.790),
    _published("DenseNet-121, 224 px, pretrained", 8_000_000, PLUS, 0.897, 0.974, 0.963, 0.993, 0.822),
)


def published_means(cases: Mapping[str, int]) -> list[tuple[Published, float]]:
    """Mean test AUC over data sets, given with their numbers of test images; none unless all are official."""
    if not cases or any(TEST_CASES.get(name) != count for name, count in cases.items()):
        return []
    return [(each, fmean(each.aucs[name] for name in cases)) for each in PUBLISHED]
