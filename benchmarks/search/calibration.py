"""Do intervals hold what they say? ``python -m benchmarks.search.calibration --seeds 20``.

Of the estimates that a run makes (openevolve/population/estimates.py): does an 80% interval of a fresh
measurement hold 80% of those? Programs are measured once on every unit, a tenth of them twice. On the
project's own table the fresh ones are real trainings that were kept back. The noise of NAS-Bench-201
(``uv sync --group bench``) is normal. What is claimed beyond the truth: ``python -m benchmarks.search``.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.machine import hardware
from benchmarks.search.own import own_table, trainings
from benchmarks.search.tables import Floats, Table, nas_bench_201
from openevolve.population.estimates import Estimates
from openevolve.population.scales import SCALES
from openevolve.records.measurement import Measurement

LEVEL = 0.8
TWICE = 0.1  # of the programs: from these the noise is known
_NOISE = (1.5, 1.0, 1.5)  # of NAS-Bench-201's three data sets together, in points


@dataclass(frozen=True)
class Held:
    """Shares of fresh measurements within their intervals."""

    by_unit: tuple[float, ...]
    top: float  # of the best tenth by estimate
    fitness: float | None  # of true fitnesses, within the interval of the fitness itself


def held(table: Table, values: Floats, truth: Floats | None) -> Held:
    """``values``: (programs, units, repeats) measurements, of which the last half are fresh.

    ``truth``: (programs,) fitness, where it is known. Of the first half one is taken of most programs, two
    of a tenth.
    """
    half = values.shape[2] // 2
    estimates = Estimates(table.units, {unit.group: SCALES[unit.scale] for unit in table.units})
    twice = max(4, round(TWICE * len(values)))
    for program, row in enumerate(values):
        for column, unit in enumerate(table.units):
            for repeat in range(2 if program < twice else 1):
                estimates.add(Measurement(str(program), unit.name, repeat, float(row[column, repeat])))
    inside = np.empty((len(values), len(table.units), half))
    for program, row in enumerate(values):
        for column, unit in enumerate(table.units):
            low, high = estimates.interval(str(program), unit.name, LEVEL)
            fresh = row[column, -half:]
            inside[program, column] = (fresh >= low) & (fresh <= high)
    best = np.argsort(-estimates.means)[: max(1, len(values) // 10)]
    reach = 1.2816 * estimates.sds
    return Held(
        tuple(inside.mean(axis=(0, 2)).tolist()),
        float(inside[best].mean()),
        None if truth is None else float(np.mean(np.abs(truth - estimates.means) <= reach)),
    )


def on_own_table(seed: int, programs: int) -> Held:
    """Real trainings in a random order; the fresh ones are as real."""
    rng = np.random.default_rng(seed)
    values = rng.permuted(trainings()[rng.permutation(len(trainings()))[:programs]], axis=2)
    return held(own_table(), values, None)


def on_nas_bench(table: Table, seed: int, programs: int) -> Held:
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(table.truth))[:programs].tolist()
    values = np.array(
        [
            [
                [table.value(seed, each, unit, repeat) for repeat in range(10)]
                for unit in range(len(table.units))
            ]
            for each in chosen
        ]
    )
    return held(table, values, table.truth[chosen].mean(axis=1))


def _line(name: str, found: Sequence[Held]) -> str:
    units = ", ".join(f"{share:.3f}" for share in np.mean([each.by_unit for each in found], axis=0))
    overall = [float(np.mean(each.by_unit)) for each in found]
    error = np.std(overall, ddof=1) / len(overall) ** 0.5
    known = [each.fitness for each in found if each.fitness is not None]
    return (
        f"  {name:<42} {np.mean(overall):.3f} ± {error:.3f} (by unit {units})"
        f"   best tenth {np.mean([each.top for each in found]):.3f}"
    ) + (f"   true fitness {np.mean(known):.3f}" if known else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tables", nargs="*", choices=["own", "nas"], default=["own", "nas"])
    options = parser.parse_args()
    print(hardware())
    print(f"share of fresh measurements within their {LEVEL:.0%} interval, {options.seeds} seeds")
    seeds = range(options.seeds)
    if "own" in options.tables:
        for programs in (60, 170):
            print(_line(f"own table, {programs} programs", [on_own_table(seed, programs) for seed in seeds]))
    if "nas" in options.tables:
        names = ("cifar100", "cifar10", "imagenet")
        tables = [nas_bench_201([name], [noise]) for name, noise in zip(names, _NOISE, strict=True)]
        for table in [*tables, nas_bench_201(names, _NOISE, "NAS-Bench-201, three data sets")]:
            found = [on_nas_bench(table, seed, 300) for seed in seeds]
            print(_line(f"{table.name}, 300 programs", found), flush=True)


if __name__ == "__main__":
    main()
