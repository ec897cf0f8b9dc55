"""Published figures stand beside a confirmation on the official test splits, and beside no other."""

import pytest

from medevonet.statistics.published import PUBLISHED, TEST_CASES, published_means
from medevonet.task import MEDMNIST_NAMES


def test_all_official_data_sets_have_figures() -> None:
    assert set(TEST_CASES) == set(MEDMNIST_NAMES)
    means = {each.name: mean for each, mean in published_means(TEST_CASES)}
    assert len(means) == len(PUBLISHED)
    assert means["ResNet-18, 28 px"] == pytest.approx(0.895, abs=0.0005)  # as MedMNIST v2 has it


def test_the_mean_is_over_the_data_sets_of_the_run() -> None:
    found = {each.name: mean for each, mean in published_means({"breastmnist": 156, "pneumoniamnist": 624})}
    assert found["ResNet-18, 28 px"] == pytest.approx((0.901 + 0.944) / 2)


@pytest.mark.parametrize("cases", [{}, {"mine": 156}, {"breastmnist": 100}, {"breastmnist": 156, "mine": 9}])
def test_other_data_have_none(cases: dict[str, int]) -> None:
    assert published_means(cases) == []
