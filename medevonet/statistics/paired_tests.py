"""Whether one of two models has the higher AUC on the same cases: bootstrap and DeLong tests.

Sources:
- DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845: the test by the normal distribution.
- Davison, Hinkley (1997), Bootstrap Methods and their Application, 4.2: the p-value (1 + count) / (B + 1).
- Holm (1979), Scandinavian Journal of Statistics 6:65-70.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medevonet.label_kind import LabelKind
from medevonet.statistics.auc import (
    Floats,
    Labels,
    Probabilities,
    auc,
    bootstrap_auc,
    delong_influence,
    mean_of_trainings,
    percentile_interval,
    training_variance,
)


@dataclass(frozen=True)
class PairedDifference:
    """AUC of models A and B on the same cases, and the distribution of the difference B - A."""

    cases: int
    auc_a: float
    auc_b: float
    replicates: Floats  # (replicates,) the difference in each bootstrap replicate
    standard_error: float  # of the difference, by DeLong, and of training where there are several

    @property
    def difference(self) -> float:
        return self.auc_b - self.auc_a

    @property
    def ci95(self) -> tuple[float, float]:
        """Percentile bootstrap interval of the difference."""
        return percentile_interval(self.replicates)

    @property
    def bootstrap_p(self) -> float:
        return bootstrap_p_value(self.replicates)

    @property
    def delong_p(self) -> float:
        return normal_p_value(self.difference, self.standard_error)


def paired_difference(
    a: Sequence[Probabilities],
    b: Sequence[Probabilities],
    labels: Labels,
    label_kind: LabelKind,
    rng: np.random.Generator,
    replicates: int,
) -> PairedDifference:
    """Compare two models on one test set; each is given by the probabilities of all its trainings.

    Raises ``ValueError`` as ``delong_influence`` and ``bootstrap_auc``.
    """
    influence = _mean_influence(b, labels, label_kind) - _mean_influence(a, labels, label_kind)
    resampled = bootstrap_auc([*a, *b], labels, label_kind, rng, replicates)
    of_a, of_b = mean_of_trainings(resampled[: len(a)], rng), mean_of_trainings(resampled[len(a) :], rng)
    aucs_a, aucs_b = ([auc(each, labels, label_kind) for each in model] for model in (a, b))
    return PairedDifference(
        cases=len(labels),
        auc_a=float(np.mean(aucs_a)),
        auc_b=float(np.mean(aucs_b)),
        replicates=of_b - of_a,
        standard_error=math.sqrt(
            float(influence @ influence) + training_variance(aucs_a) + training_variance(aucs_b)
        ),
    )


def _mean_influence(trainings: Sequence[Probabilities], labels: Labels, label_kind: LabelKind) -> Floats:
    """DeLong's influence of each case on the mean AUC over trainings, (N,)."""
    return np.asarray(np.mean([delong_influence(each, labels, label_kind) for each in trainings], axis=0))


def mean_difference(differences: Sequence[PairedDifference]) -> PairedDifference:
    """The mean over independent test sets: replicate b is the mean of all replicates b, variances add."""
    return PairedDifference(
        cases=sum(each.cases for each in differences),
        auc_a=float(np.mean([each.auc_a for each in differences])),
        auc_b=float(np.mean([each.auc_b for each in differences])),
        replicates=np.asarray(np.mean([each.replicates for each in differences], axis=0)),
        standard_error=math.hypot(*(each.standard_error for each in differences)) / len(differences),
    )


def bootstrap_p_value(differences: Floats) -> float:
    """Two-sided p-value of no difference from bootstrap replicates (B,) of a difference.

    Twice the smaller tail, each tail (1 + replicates at zero or beyond it) / (B + 1), at most 1. It inverts
    the percentile interval, so that interval and p-value agree, and is never below 2 / (B + 1).
    """
    crossing = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (1 + crossing) / (len(differences) + 1))


def normal_p_value(difference: float, standard_error: float) -> float:
    """Two-sided p-value of no difference by the normal distribution.

    A standard error of 0 (both models perfect, or constant) gives the limit: 1 for no difference, else 0.
    """
    if standard_error == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / standard_error / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm's step-down method, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def report(differences: Mapping[str, PairedDifference]) -> dict[str, Any]:
    """The tests as numbers for JSON: ``{"datasets": {name: row}, "mean": row}``.

    A row has ``cases``, ``auc_a``, ``auc_b``, ``difference`` (B - A) with ``ci95`` (bootstrap) and
    ``standard_error`` (DeLong), ``bootstrap_p`` and ``delong_p``; of a data set also ``bootstrap_p_holm``
    and ``delong_p_holm``, adjusted for the number of data sets. The mean is one test and needs no adjustment.
    """
    rows = {dataset: _row(difference) for dataset, difference in differences.items()}
    for test in ("bootstrap_p", "delong_p"):
        adjusted = holm([row[test] for row in rows.values()])
        for row, p_value in zip(rows.values(), adjusted, strict=True):
            row[f"{test}_holm"] = p_value
    return {"datasets": rows, "mean": _row(mean_difference(list(differences.values())))}


def _row(result: PairedDifference) -> dict[str, Any]:
    return {
        "cases": result.cases,
        "auc_a": result.auc_a,
        "auc_b": result.auc_b,
        "difference": result.difference,
        "ci95": list(result.ci95),
        "standard_error": result.standard_error,
        "bootstrap_p": result.bootstrap_p,
        "delong_p": result.delong_p,
    }


def table(report: Mapping[str, Any]) -> str:
    """A report as text: a header, a line a data set and one for the mean, in aligned columns."""
    header = "dataset cases auc_a auc_b b-a ci95_low ci95_high boot_p boot_p_holm delong_p delong_p_holm"
    lines = [header.split()]
    for dataset, row in [*report["datasets"].items(), ("mean", report["mean"])]:
        lines.append(
            [dataset, str(row["cases"]), f"{row['auc_a']:.4f}", f"{row['auc_b']:.4f}"]
            + [f"{value:+.4f}" for value in (row["difference"], *row["ci95"])]
            + [
                f"{row[name]:.2g}" if name in row else "-"
                for name in ("bootstrap_p", "bootstrap_p_holm", "delong_p", "delong_p_holm")
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines
    )
