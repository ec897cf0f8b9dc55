"""Estimates: exact where values are, calibrated where they are not, the same in any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.population.estimates import Estimates
from openevolve.population.scales import SCALES
from openevolve.records.measurement import Measurement, Unit

ONE = (Unit("whole", "whole"),)
TWO = (Unit("a", "a", cost=1.0), Unit("b", "b", cost=9.0))


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_single_exact_values_are_themselves(values: list[float]) -> None:
    """A problem with nothing but ``evaluate`` behaves as if there were no estimates."""
    estimates = Estimates(ONE)
    for number, value in enumerate(values):
        estimates.add(Measurement(f"p{number}", "whole", 0, value))
    assert estimates.means.tolist() == pytest.approx(values)
    assert not estimates.sds.any()
    assert estimates.exact


def simulated(seed: int, programs: int, noise: tuple[float, float]) -> tuple[Estimates, np.ndarray]:
    """Programs of which every third is measured twice on both units, the others once on the first."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 1, programs)
    truth = np.column_stack([common + rng.normal(0, 0.3, programs) for _ in range(2)])
    estimates = Estimates(TWO)
    for number in range(programs):
        looks = [("a", 0, 0), ("a", 0, 1), ("b", 1, 0), ("b", 1, 1)] if number % 3 == 0 else [("a", 0, 0)]
        for unit, column, repeat in looks:
            value = truth[number, column] + rng.normal(0, noise[column])
            estimates.add(Measurement(f"p{number}", unit, repeat, value))
    return estimates, truth.mean(axis=1)


def test_intervals_hold_what_they_say() -> None:
    """80% intervals of the fitness hold 75 to 85% of true values, half-measured programs included."""
    inside = []
    for seed in range(30):
        estimates, truth = simulated(seed, 60, (0.5, 0.3))
        reach = 1.2816 * estimates.sds
        inside += (np.abs(truth - estimates.means) <= reach).tolist()
    assert 0.75 <= np.mean(inside) <= 0.85


def test_intervals_hold_fresh_measurements_as_often_as_they_say() -> None:
    """80% intervals hold 75 to 85% of them, though a third of the programs alone were measured twice."""
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.normal(0, 1, 60)
        estimates = Estimates(ONE)
        for number, true in enumerate(truth):
            for repeat in range(2 if number < 20 else 1):
                value = float(true + rng.normal())
                estimates.add(Measurement(f"p{number}", "whole", repeat, value))
        for number, true in enumerate(truth):
            low, high = estimates.interval(f"p{number}", "whole", 0.8)
            inside.append(low <= true + rng.normal() <= high)
    assert 0.75 <= np.mean(inside) <= 0.85


def test_the_best_is_not_its_luckiest_value() -> None:
    """The highest estimate exceeds its truth by little where the highest value exceeds it by much."""
    excess = []
    for seed in range(30):
        estimates, truth = simulated(seed, 60, (1.0, 0.3))
        best = int(np.argmax(estimates.means))
        excess.append(estimates.means[best] - truth[best])
    assert abs(float(np.mean(excess))) < 0.25


@settings(max_examples=20)
@given(st.permutations(range(12)))
def test_the_order_of_programs_does_not_matter_once_all_is_known(order: list[int]) -> None:
    values = np.random.default_rng(5).normal(size=(12, 2))

    def estimated(numbers: list[int]) -> dict[str, float]:
        estimates = Estimates(ONE)
        for number in numbers:
            for repeat in range(2):
                estimates.add(Measurement(f"p{number}", "whole", repeat, float(values[number, repeat])))
        return {f"p{n}": estimates.of(f"p{n}").mean for n in range(12)}

    first, second = estimated(list(range(12))), estimated(list(order))
    assert all(abs(first[name] - second[name]) < 0.2 for name in first)


def test_a_better_measurement_never_lowers_the_estimate() -> None:
    estimates = [Estimates(ONE) for _ in range(2)]
    for number in range(10):
        for repeat in range(2):
            for each, raised in zip(estimates, (0.0, 0.5), strict=True):
                last = number == 9 and repeat == 1
                value = number / 10 + 0.1 * (-1) ** repeat + (raised if last else 0.0)
                each.add(Measurement(f"p{number}", "whole", repeat, value))
    assert estimates[1].of("p9").mean > estimates[0].of("p9").mean


def test_auc_on_its_logit_stays_between_0_and_1() -> None:
    estimates = Estimates(ONE, {"whole": SCALES["logit"]})
    for number, value in enumerate((0.5, 0.9, 0.99, 1.0)):
        for repeat in range(2):
            estimates.add(Measurement(f"p{number}", "whole", repeat, min(1.0, value + 0.005 * repeat)))
    assert ((estimates.means > 0) & (estimates.means < 1)).all()


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        (Measurement("p", "other", 0, 1.0), "expected a unit of"),
        (Measurement("p", "whole", 0, float("nan")), "expected a finite value"),
        (Measurement("known", "whole", 0, 1.0), "expected a measurement that is not known"),
    ],
)
def test_what_cannot_be_is_refused(measurement: Measurement, message: str) -> None:
    estimates = Estimates(ONE)
    estimates.add(Measurement("known", "whole", 0, 1.0))
    with pytest.raises(ValueError, match=message):
        estimates.add(measurement)
