"""Anytime curves with confidence bands, as a PNG and as the numbers in it."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import t as student

from benchmarks.search.tables import Floats

Curves = Mapping[str, Mapping[str, Floats]]  # by case and arm: (seeds, marks) regret in points


def band(values: Floats) -> tuple[Floats, Floats, Floats]:
    """(marks,) mean over seeds and the ends of its 95% interval (Student)."""
    count = len(values)
    mean = values.mean(axis=0)
    half = student.ppf(0.975, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half


def draw(curves: Curves, path: Path) -> None:
    """Write ``path`` (PNG) and, beside it, a CSV of case, arm, share of the search's cost and band."""
    figure = Figure(figsize=(6.5 * len(curves), 4.5), layout="constrained")
    for axes, (case, arms) in zip(np.ravel(figure.subplots(1, len(curves))), curves.items(), strict=True):
        for name, values in arms.items():
            mean, low, high = band(values)
            share = np.arange(1, len(mean) + 1) / len(mean)
            axes.plot(share, mean, label=name)
            axes.fill_between(share, low, high, alpha=0.15)
        axes.set(
            title=case, xlabel="share of the search's cost", ylabel="regret of the best by value, points"
        )
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "arm", "share", "mean", "low", "high"])
        writer.writerows(_rows(curves))


def _rows(curves: Curves) -> Iterator[list[str]]:
    for case, arms in curves.items():
        for name, values in arms.items():
            for mark, ends in enumerate(zip(*band(values), strict=True), 1):
                share = f"{mark / values.shape[1]:.2f}"
                yield [case, name, share, *(f"{end:.3f}" for end in ends)]
