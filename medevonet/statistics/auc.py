"""Area under the ROC curve, and how sure it is: the bootstrap and DeLong's method, in NumPy alone.

All functions take ``probabilities`` (N, C), ``labels`` (N, 1) or, for several labels a case, (N, L),
and a ``LabelKind``. The AUC of a data set is the mean over its L binary problems:

- ``binary``: one problem, scored by the last column (the positive class); labels are 0 or 1;
- ``multi-class``: one problem a class, that class against the rest; labels are 0 … C-1;
- ``multi-label``: one problem a label, column by column; labels are 0 or 1 and L = C.

That is the AUC of ``medmnist.Evaluator``. Ties count one half.

What is random. Cases are. A test set's class sizes are fixed by whoever made its split and say nothing
about a model, so for binary and multi-class data both methods condition on them: the bootstrap
resamples within each class and DeLong's components are centred within each class. For two classes that is
DeLong's textbook variance; for more it leaves out the part that would come from drawing other class sizes.
Multi-label cases belong to no single class, and strata of label combinations would be mostly single cases
that never vary, so there cases are resampled without strata. A replicate in which some label is left
with one class has no AUC and is drawn again, that is, intervals hold given that every AUC is defined.

A network may have been trained several times (R). Its AUC is then the mean over trainings, and each replicate
adds to the mean on the resampled cases the luck of training: a normal number of variance σ²_T / R, where σ²_T
is the variance over trainings less the part that the resampled cases make (medevonet/statistics/variance.py).
Trainings drawn with replacement would count that part twice. Of one training the spread is not known, and
only cases are resampled.

Sources:
- DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845: structural components, their covariance.
- Sun, Xu (2014), IEEE Signal Processing Letters 21:1389-1393: the components from ranks, O(N log N).
- Efron, Tibshirani (1993), An Introduction to the Bootstrap: standard error (6), percentiles (13).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medevonet.label_kind import LABEL_KINDS, LabelKind

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# Replicates are worked through in chunks of at most this many (replicate, case) weights. It bounds memory to
# a few MB whatever the test set, and 1 MB of 32-bit counts stays in the cache: twice as fast as 8 MB.
_CHUNK_WEIGHTS = 2**18
_MAX_DRAWS_PER_REPLICATE = 100


@dataclass(frozen=True, slots=True)
class _RankedLabel:
    """All that the AUC of one binary problem with P positives and Q negatives needs of its scores."""

    positives: Indices  # (P,) cases
    negatives: Indices  # (Q,) cases, by ascending score
    below: Indices  # (P,) number of negatives that score less than the positive
    below_or_tied: Indices  # (P,) number that score less or the same

    def auc(self) -> float:
        wins = int(self.below.sum()) + int(self.below_or_tied.sum())
        return wins / (2 * len(self.positives) * len(self.negatives))

    def weighted_auc(self, weights: NDArray[np.int32]) -> Floats:
        """AUC when case i occurs ``weights[b, i]`` times: (B, N) to (B,); NaN where a class is absent."""
        negatives = np.zeros((len(weights), len(self.negatives) + 1), dtype=np.int32)
        np.cumsum(np.take(weights, self.negatives, axis=1), axis=1, out=negatives[:, 1:])
        wins = np.take(negatives, self.below, axis=1) + np.take(negatives, self.below_or_tied, axis=1)
        positives = np.take(weights, self.positives, axis=1)
        pairs = positives.sum(axis=1, dtype=np.int64) * negatives[:, -1]
        with np.errstate(invalid="ignore"):
            # Counts of pairs outgrow 32 bits; as 64-bit floats they are still exact.
            return np.asarray(np.einsum("bp,bp->b", positives, wins, dtype=np.float64) / (2 * pairs))

    def components(self) -> Floats:
        """DeLong's structural components of each case (N,): its share of pairs won, over its class's size.

        V10 of a positive is the share of negatives that it beats, V01 of a negative the share of positives
        that beat it; the AUC is the mean of either.
        """
        p, q = len(self.positives), len(self.negatives)
        place = np.arange(q)
        lost = p - np.searchsorted(np.sort(self.below), place, side="right")
        lost_or_tied = p - np.searchsorted(np.sort(self.below_or_tied), place, side="right")
        components = np.empty(p + q)
        components[self.positives] = (self.below + self.below_or_tied) / (2 * q) / p
        components[self.negatives] = (lost + lost_or_tied) / (2 * p) / q
        return components


def check_cases(probabilities: Probabilities, labels: Labels, label_kind: LabelKind) -> None:
    """Raise ``ValueError`` unless shapes, types and values are what the module's docstring says."""
    if label_kind not in LABEL_KINDS:
        raise ValueError(f"expected a label kind of {', '.join(LABEL_KINDS)}; found {label_kind!r}")
    if probabilities.ndim != 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise ValueError(
            "expected floating-point probabilities of shape (cases, outputs); "
            f"found {probabilities.dtype} of shape {probabilities.shape}"
        )
    cases, outputs = probabilities.shape
    shape = (cases, outputs if label_kind == "multi-label" else 1)
    if labels.shape != shape or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"expected integer {label_kind} labels of shape {shape}; "
            f"found {labels.dtype} of shape {labels.shape}"
        )
    if cases == 0 or outputs == 0:
        raise ValueError(f"expected at least one case and one output; found {cases} and {outputs}")
    broken = int(cases - np.isfinite(probabilities).all(axis=1).sum())
    if broken:
        raise ValueError(f"expected finite probabilities; found NaN or infinity in {broken} of {cases} cases")
    highest = outputs - 1 if label_kind == "multi-class" else 1
    if labels.min() < 0 or labels.max() > highest:
        raise ValueError(
            f"expected {label_kind} labels from 0 to {highest}; found {labels.min()} to {labels.max()}"
        )


def _rank(probabilities: Probabilities, labels: Labels, label_kind: LabelKind) -> list[_RankedLabel]:
    """The binary problems of a data set, ranked; ``ValueError`` as ``per_label_auc`` says."""
    check_cases(probabilities, labels, label_kind)
    scores, positive = probabilities, labels == 1
    if label_kind == "binary":
        scores = probabilities[:, -1:]
    elif label_kind == "multi-class":
        positive = labels == np.arange(probabilities.shape[1])
    return [_rank_label(scores[:, i], positive[:, i], i) for i in range(scores.shape[1])]


def _rank_label(scores: Probabilities, positive: NDArray[np.bool_], label: int) -> _RankedLabel:
    positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
    if len(positives) == 0 or len(negatives) == 0:
        raise ValueError(
            f"the AUC of label {label} is undefined: expected positive and negative cases, "
            f"found {len(positives)} positive and {len(negatives)} negative"
        )
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below = np.searchsorted(scores[negatives], scores[positives], side="left")
    below_or_tied = np.searchsorted(scores[negatives], scores[positives], side="right")
    return _RankedLabel(positives, negatives, below, below_or_tied)


def per_label_auc(probabilities: Probabilities, labels: Labels, label_kind: LabelKind) -> Floats:
    """AUC of each binary problem, (L,).

    Raises ``ValueError`` for wrong shapes or values (``check_cases``) and for a label that is the same in
    all cases, whose AUC is undefined.
    """
    return np.array([label.auc() for label in _rank(probabilities, labels, label_kind)])


def auc(probabilities: Probabilities, labels: Labels, label_kind: LabelKind) -> float:
    """Mean of ``per_label_auc``, and its errors; equal to medmnist's ``getAUC``."""
    return float(per_label_auc(probabilities, labels, label_kind).mean())


def resample(
    labels: Labels, label_kind: LabelKind, rng: np.random.Generator, replicates: int
) -> NDArray[np.int32]:
    """How often each case occurs in each bootstrap replicate, (replicates, N); strata as stated above.

    The generator is consumed replicate by replicate, so the outcome does not depend on how many
    replicates one call asks for.
    """
    cases = len(labels)
    strata = np.zeros(cases, dtype=np.uint8) if label_kind == "multi-label" else labels[:, 0]
    order = np.argsort(strata, kind="stable")
    sizes = np.unique(strata, return_counts=True)[1]
    ends = np.repeat(np.cumsum(sizes), sizes)
    drawn = order[rng.integers(ends - np.repeat(sizes, sizes), ends, size=(replicates, cases))]
    drawn += cases * np.arange(replicates)[:, np.newaxis]
    counts = np.bincount(drawn.ravel(), minlength=replicates * cases)
    return counts.astype(np.int32).reshape(replicates, cases)


def bootstrap_auc(
    models: Sequence[Probabilities],
    labels: Labels,
    label_kind: LabelKind,
    rng: np.random.Generator,
    replicates: int,
) -> Floats:
    """AUC of each model on each bootstrap replicate, (models, replicates).

    Scores are ranked once; a replicate only weights the ranked cases. All labels of all models see the same
    resampled cases, so rows may be subtracted for a paired comparison.

    Raises ``ValueError`` as ``per_label_auc`` does, and if a label has so few cases of one class that fewer
    than one resample in a hundred has both.
    """
    rankings = [_rank(probabilities, labels, label_kind) for probabilities in models]
    result = np.empty((len(models), replicates))
    chunk = max(1, _CHUNK_WEIGHTS // len(labels))
    done = drawn = 0
    while done < replicates:
        if drawn >= _MAX_DRAWS_PER_REPLICATE * replicates:
            raise ValueError(
                f"bootstrap is not possible: only {done} of {drawn} resamples had both classes of every label"
            )
        weights = resample(labels, label_kind, rng, min(chunk, replicates - done))
        drawn += len(weights)
        values = np.stack(
            [np.mean([label.weighted_auc(weights) for label in ranked], axis=0) for ranked in rankings]
        )
        values = values[:, np.isfinite(values).all(axis=0)]
        result[:, done : done + values.shape[1]] = values
        done += values.shape[1]
    return result


def mean_of_trainings(values: Floats, aucs: Sequence[float], rng: np.random.Generator) -> Floats:
    """Replicates of the mean over trainings, (B,), from each training's AUC on each replicate, (R, B).

    With one training they are its own, and the generator is left alone.
    """
    trainings, replicates = values.shape
    if trainings == 1:
        return np.asarray(values[0])
    # What resampled cases do to one training and not to another is in the replicates of the mean already.
    interaction = (values - values.mean(axis=1, keepdims=True)).var(axis=0, ddof=1).mean()
    of_training = max(0.0, float(np.var(aucs, ddof=1) - interaction))
    luck = rng.normal(scale=np.sqrt(of_training / trainings), size=replicates)
    return np.asarray(values.mean(axis=0) + luck)


def percentile_interval(replicates: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of that coverage from replicates (B,)."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def delong_influence(probabilities: Probabilities, labels: Labels, label_kind: LabelKind) -> Floats:
    """Influence of each case on the mean AUC, (N,), scaled so that sums of products are DeLong's estimates.

    With f and g of two models on the same cases, the variance of an AUC is sum(f²), the covariance
    sum(f·g), and the variance of the difference sum((f - g)²). For label l, a positive of P counts V10 / P
    and a negative of Q counts V01 / Q (``components``); each is centred within the n cases that share its
    value of the label (for multi-class data, its class) and multiplied by √(n / (n - 1)), which
    makes the sum of squares Σ (V10 - AUC)² / (P (P - 1)) + Σ (V01 - AUC)² / (Q (Q - 1)), DeLong's
    S10 / P + S01 / Q. The influence on the mean AUC is the mean over labels, and as labels share the
    cases, its sum of squares holds all covariances between labels.

    Raises ``ValueError`` as ``per_label_auc`` does, and for a class of one case, which has no variance.
    """
    return auc_and_influence(probabilities, labels, label_kind)[1]


def auc_and_influence(
    probabilities: Probabilities, labels: Labels, label_kind: LabelKind
) -> tuple[float, Floats]:
    """``auc`` and ``delong_influence``, from scores that are ranked once."""
    ranked = _rank(probabilities, labels, label_kind)
    groups = np.broadcast_to(labels, (len(labels), len(ranked)))
    influences = [_centred(label.components(), groups[:, i]) for i, label in enumerate(ranked)]
    return float(np.mean([label.auc() for label in ranked])), np.asarray(np.mean(influences, axis=0))


def _centred(components: Floats, groups: Labels) -> Floats:
    """Deviations from the mean of the group, scaled for the lost degree of freedom."""
    values, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        raise ValueError(
            f"DeLong's variance needs two cases of every class; found one with label {values[sizes.argmin()]}"
        )
    means = np.bincount(group, components) / sizes
    scale = np.sqrt(sizes / (sizes - 1))
    return np.asarray((components - means[group]) * scale[group])
