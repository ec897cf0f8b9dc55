"""Do the tests hold their level? Pairs of programs that do not differ, tested at .05, and power beside it.

Scores are simulated, not AUCs: of case i, in training r of program p ::

    score = y_i (separation + gain of B + luck z_pr) + √shared c_i + √program d_pi + √interaction e_pri

with y_i the class (27% positive, as in BreastMNIST), all of c, d, e, z standard normal, and shared + program
+ interaction = 1. Two worlds: programs that agree about the cases (program = 0), where a true null holds on
these very images and for new patients alike, and programs that are right about different cases, where only
that for new patients does. Of single trainings the tests for these weights are tried without luck, and those
with a pooled variance take it from nine further trainings of each program. Means over data sets pair the
replicates of two sizes. Power is that at the gain that raises the AUC by --difference.

    python benchmarks/levels.py [--replicates 2000] [--cases 100 300 1000 3000 10000]
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import hardware
from medevonet.label_kind import LabelKind
from medevonet.statistics.comparison import Row, mean_row, row_of
from medevonet.statistics.variance import Pool, Trainings, for_these_weights, trainings_of

TRAININGS = (1, 3, 5, 10)
PREVALENCE = 0.27
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class World:
    """What two programs have in common, and what training does to them."""

    name: str
    shared: float
    program: float
    interaction: float
    luck: float = 0.1  # of the separation; 0.1 moves an AUC of .9 by .012, as BreastMNIST's trainings do
    separation: float = 2**0.5 * NormalDist().inv_cdf(0.9)

    def gain(self, difference: float) -> float:
        """What raises the AUC by ``difference``."""
        return 2**0.5 * NormalDist().inv_cdf(0.9 + difference) - self.separation


SAME_CASES = World("agree about cases", 0.6, 0.0, 0.4)
OTHER_CASES = World("differ in cases", 0.6, 0.15, 0.25)


def labels_of(cases: int, kind: LabelKind) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """(cases, 1), or (cases, 3) for multi-label; classes in fixed shares."""
    place = np.arange(cases)
    if kind == "binary":
        return (place < round(PREVALENCE * cases)).astype(np.uint8)[:, None]
    if kind == "multi-class":
        return (place * 4 // cases).astype(np.uint8)[:, None]
    return (np.random.default_rng(0).random((cases, 3)) < PREVALENCE).astype(np.uint8)


def draw(
    world: World,
    cases: int,
    trainings: int,
    rng: np.random.Generator,
    gain: float = 0.0,
    kind: LabelKind = "binary",
) -> tuple[Trainings, Trainings, Trainings]:
    """A, B, and B with the gain: the same numbers, of positives further up."""
    labels = labels_of(cases, kind)
    outputs = {"binary": 1, "multi-class": 4, "multi-label": 3}[kind]
    signal = (labels == np.arange(outputs)) if kind == "multi-class" else labels
    common = rng.normal(scale=world.shared**0.5, size=(cases, outputs))

    def program() -> list[tuple[Floats, float]]:
        own = common + rng.normal(scale=world.program**0.5, size=(cases, outputs))
        return [
            (
                own + rng.normal(scale=world.interaction**0.5, size=(cases, outputs)),
                world.separation + world.luck * rng.normal(),
            )
            for _ in range(trainings)
        ]

    def scored(drawn: Sequence[tuple[Floats, float]], gain: float) -> Trainings:
        models = [noise + signal * (separation + gain) for noise, separation in drawn]
        if kind == "binary":
            return binary_trainings(np.stack(models)[:, :, 0], labels[:, 0])
        return trainings_of(models, labels, kind)

    a, b = program(), program()
    return scored(a, 0), scored(b, 0), scored(b, gain) if gain else scored(b[:1], 0)


def binary_trainings(scores: Floats, labels: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Trainings:
    """``trainings_of`` for scores (R, N) without ties, positives first, in a tenth of the time."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    aucs, influences = np.empty(len(scores)), np.empty(scores.shape)
    for place, (above, below) in enumerate(zip(scores[:, :positives], scores[:, positives:], strict=True)):
        beaten = np.searchsorted(np.sort(below), above) / negatives
        lost = 1 - np.searchsorted(np.sort(above), below) / positives
        aucs[place] = beaten.mean()
        influences[place, :positives] = (beaten - aucs[place]) / (positives * (positives - 1)) ** 0.5
        influences[place, positives:] = (lost - aucs[place]) / (negatives * (negatives - 1)) ** 0.5
    return Trainings(aucs, influences, labels)


def first(trainings: Trainings, count: int, start: int = 0) -> Trainings:
    """Some of the trainings."""
    chosen = slice(start, start + count)
    return replace(trainings, aucs=trainings.aucs[chosen], influences=trainings.influences[chosen])


def rows(a: Trainings, b: Trainings) -> Iterator[tuple[str, Row]]:
    """Every test of the project, by numbers of trainings, from the same draws."""
    for count in TRAININGS:
        if count == 1:
            pool = Pool.of([first(each, len(each) - 1, 1) for each in (a, b)])
            yield "1, pooled", row_of(first(a, 1), first(b, 1), pool)
        elif count <= len(a):
            yield str(count), row_of(first(a, count), first(b, count))


@dataclass
class Tally:
    """P-values of one test in one setting."""

    null: list[float]
    gain: list[float]

    @property
    def level(self) -> float:
        return float((np.array(self.null) < 0.05).mean())

    def line(self, world: str, cases: str, trainings: str, question: str) -> str:
        error = (self.level * (1 - self.level) / len(self.null)) ** 0.5
        power = (np.array(self.gain) < 0.05).mean()
        return (
            f"{world:<18} {cases:>12} {trainings:>10}  {question:<22} "
            f"{self.level:.3f} ± {error:.3f}  {power:.3f}"
        )


Key = tuple[str, str, str, str]  # world, cases, trainings, question


def simulate(
    world: World,
    sizes: Sequence[int],
    replicates: int,
    difference: float,
    kind: LabelKind = "binary",
    seed: int = 0,
) -> dict[Key, Tally]:
    """P-values of all tests, for each size and, where there are several, the mean over data sets of those.

    Power is looked at in every fourth replicate.
    """
    rng = np.random.default_rng([seed, *sizes])
    tallies: dict[Key, Tally] = {}

    def note(cases: str, trainings: str, null: Row, gain: Row | None) -> None:
        for question in null.answers:
            if world.program and question == "on these images":
                continue  # there is a difference on these images
            tally = tallies.setdefault((world.name, cases, trainings, question), Tally([], []))
            tally.null.append(null.answers[question].p_value)
            if gain:
                tally.gain.append(gain.answers[question].p_value)

    for replicate in range(replicates):
        found = []
        raised = world.gain(difference) if replicate % 4 == 0 else 0.0
        for cases in sizes:
            a, b, better = draw(world, cases, max(TRAININGS), rng, raised, kind)
            found.append((dict(rows(a, b)), dict(rows(a, better)) if raised else None))
            _note_all(note, str(cases), *found[-1])
            a, b, better = draw(replace(world, luck=0.0), cases, 1, rng, raised, kind)
            key = (world.name, str(cases), "1", "for these weights only")
            tally = tallies.setdefault(key, Tally([], []))
            tally.null.append(for_these_weights(a, b).p_value)
            if raised:
                tally.gain.append(for_these_weights(a, better).p_value)
        if len(sizes) > 1:
            null, gain = ([each[side] for each in found] for side in (0, 1))
            _note_all(note, " and ".join(map(str, sizes)), _means(null), _means(gain) if raised else None)
    return tallies


def _note_all(
    note: Callable[[str, str, Row, Row | None], None],
    cases: str,
    null: Mapping[str, Row],
    gain: Mapping[str, Row] | None,
) -> None:
    for trainings, row in null.items():
        note(cases, trainings, row, gain[trainings] if gain else None)


def _means(found: Sequence[Mapping[str, Row] | None]) -> dict[str, Row]:
    """Over data sets, by numbers of trainings."""
    known = [each for each in found if each]
    return {trainings: mean_row([each[trainings] for each in known]) for trainings in known[0]}


def _simulated(
    replicates: int, difference: float, setting: tuple[World, list[int], LabelKind]
) -> dict[Key, Tally]:
    world, sizes, kind = setting
    return simulate(world, sizes, replicates, difference, kind)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--cases", type=int, nargs="+", default=[100, 300, 1000, 3000, 10_000])
    parser.add_argument("--difference", type=float, default=0.02)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(f"hardware: {hardware()}; numpy {np.__version__}")
    print(
        f"{options.replicates} replicates, a quarter for power at a difference of {options.difference} in AUC"
    )
    print(f"{'world':<18} {'cases':>12} {'trainings':>10}  {'question':<22} level at .05   power")
    started = time.monotonic()
    settings: list[tuple[World, list[int], LabelKind]] = [
        (world, [cases], "binary") for cases in options.cases for world in (SAME_CASES, OTHER_CASES)
    ]
    if len(options.cases) > 1:
        settings += [(world, [150, 600], "binary") for world in (SAME_CASES, OTHER_CASES)]
        settings += [
            (replace(OTHER_CASES, name=kind), [400], kind) for kind in ("multi-class", "multi-label")
        ]
    levels = []
    with ProcessPoolExecutor(options.processes) as pool:
        for found in pool.map(partial(_simulated, options.replicates, options.difference), settings):
            for key, tally in found.items():
                print(tally.line(*key), flush=True)
                levels.append(tally.level)
    print("---")
    print(f"tests: {len(levels)}")
    print(f"lowest_level: {min(levels):.3f}")
    print(f"highest_level: {max(levels):.3f}")
    print(f"outside_035_065: {sum(not 0.035 <= level <= 0.065 for level in levels)}")
    print(f"seconds: {time.monotonic() - started:.0f}")


if __name__ == "__main__":
    main()
