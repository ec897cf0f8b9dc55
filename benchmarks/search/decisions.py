"""What estimates and decisions take, by programs: ``python -m benchmarks.search.decisions``.

Two and five data sets, each program measured once, one in ten twice. Timed at so many programs: taking in one
measurement, with its share of fitting all again (every 15% more measurements); a draw from the estimates and
the choice of what is measured next (``measuring.allocation.Adaptive``); and a parent by ``drawn-top``'s rule.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.machine import hardware, load
from openevolve.measuring.allocation import Adaptive
from openevolve.measuring.situation import Situation
from openevolve.population.estimates import Estimates
from openevolve.population.scales import SCALES
from openevolve.records.measurement import Measurement, Unit
from openevolve.search.weighted import Candidates, DrawnTop

_ROUNDS = 200


def grown(count: int, units: Sequence[Unit], seed: int) -> tuple[Estimates, list[float]]:
    """Estimates of so many programs, and the CPU milliseconds that each measurement took."""
    rng = np.random.default_rng(seed)
    estimates = Estimates(units, {unit.group: SCALES["logit"] for unit in units})
    times = []
    for program in range(count):
        truth = rng.normal(2, 0.5) + rng.normal(0, 0.2, len(units))
        for column, unit in enumerate(units):
            for repeat in range(2 if program % 10 == 0 else 1):
                value = 1 / (1 + np.exp(-truth[column] - rng.normal(0, 0.3)))
                measurement = Measurement(f"p{program}", unit.name, repeat, float(value))
                start = time.process_time()
                estimates.add(measurement)
                times.append(1e3 * (time.process_time() - start))
    return estimates, times


def timed(action: Callable[[], object]) -> str:
    times = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        action()
        times.append(1e3 * (time.process_time() - start))
    times.sort()
    return f"{statistics.median(times):.3f} (p90 {times[_ROUNDS * 9 // 10]:.3f})"


def _line(count: int, units: Sequence[Unit]) -> str:
    estimates, times = grown(count, units, 1)
    late = times[len(times) // 2 :]  # from half as many programs on: fits of all are among them
    situation = Situation(estimates, spent=1e6)
    policy, rng = Adaptive(), np.random.default_rng(1)
    known = Candidates(
        list(estimates.ids), estimates.means, estimates.sds, np.zeros(count, int), np.arange(count) % 36
    )
    rule = DrawnTop(0.1, 0.0)
    return (
        f"{count:6} programs, {len(units)} units: a measurement {statistics.fmean(late):.3f} on average "
        f"(median {statistics.median(late):.3f}, a fit of all {max(late):.0f})   "
        f"what is measured next {timed(lambda: policy.further(situation, rng))}   "
        f"a parent {timed(lambda: rule.choose(known, rng))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--programs", type=int, nargs="*", default=[200, 2000])
    options = parser.parse_args()
    print(f"{hardware()}; load {load()}; CPU milliseconds, n = {_ROUNDS} decisions")
    for names in (("a", "b"), ("a", "b", "c", "d", "e")):
        for count in options.programs:
            print(_line(count, [Unit(name, name, scale="logit") for name in names]), flush=True)


if __name__ == "__main__":
    main()
