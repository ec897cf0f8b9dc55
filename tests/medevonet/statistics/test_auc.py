"""AUC, bootstrap and DeLong against medmnist, scikit-learn, brute force and simulation."""

import math
import runpy
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medmnist.evaluator import getAUC
from sklearn.metrics import roc_auc_score

from medevonet.label_kind import LABEL_KINDS, LabelKind
from medevonet.statistics.auc import (
    Floats,
    Labels,
    Probabilities,
    auc,
    bootstrap_auc,
    delong_influence,
    per_label_auc,
    percentile_interval,
    resample,
)
from tests import PROJECT

MEDMNIST_TASKS = {
    "binary": "binary-class",
    "multi-class": "multi-class",
    "multi-label": "multi-label, binary-class",
}
# Few distinct values make ties common; the neighbours of 0.5 are told apart by all of float32.
SCORES = [0.0, 0.25, float(np.nextafter(np.float32(0.5), np.float32(0))), 0.5, 0.75, 1.0]


@dataclass(frozen=True)
class Cases:
    probabilities: Probabilities
    labels: Labels
    kind: LabelKind


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[LabelKind, ...] = LABEL_KINDS) -> Cases:
    """Cases of any kind in which every class has at least two members."""
    kind = draw(st.sampled_from(kinds))
    outputs = 2 if kind == "binary" else draw(st.integers(2, 4))
    count = draw(st.integers(2 * outputs, 25))
    probabilities = draw(hnp.arrays(np.float32, (count, outputs), elements=st.sampled_from(SCORES)))
    columns, classes = (outputs, 2) if kind == "multi-label" else (1, outputs)
    labels = draw(hnp.arrays(np.uint8, (count, columns), elements=st.integers(0, classes - 1)))
    labels[: 2 * classes] = np.repeat(np.arange(classes), 2)[:, np.newaxis]
    return Cases(probabilities, labels, kind)


def simulated(kind: LabelKind, count: int, rng: np.random.Generator, outputs: int = 3) -> Cases:
    """Normal scores, shifted by one for positives; the columns share noise and, multi-label, positives."""
    if kind == "multi-label":
        severity = rng.normal(size=(count, 1))
        labels = (severity + rng.normal(size=(count, outputs)) > 0.8).astype(np.uint8)
        signal = labels
    else:
        outputs = 2 if kind == "binary" else outputs
        labels = rng.integers(outputs, size=(count, 1)).astype(np.uint8)
        signal = (labels == np.arange(outputs)).astype(np.uint8)
    noise = rng.normal(size=(count, outputs)) + 0.7 * rng.normal(size=(count, 1))
    return Cases((signal + noise).astype(np.float32), labels, kind)


def sklearn_auc(data: Cases, drawn: Labels) -> float:
    probabilities, labels = data.probabilities[drawn], data.labels[drawn]
    if data.kind == "binary":
        return float(roc_auc_score(labels[:, 0], probabilities[:, -1]))
    targets = labels if data.kind == "multi-label" else labels == np.arange(probabilities.shape[1])
    return float(
        np.mean([roc_auc_score(targets[:, i], probabilities[:, i]) for i in range(targets.shape[1])])
    )


@settings(deadline=None)
@given(cases())
def test_auc_equals_medmnist(data: Cases) -> None:
    expected = getAUC(data.labels, data.probabilities, MEDMNIST_TASKS[data.kind])
    assert auc(data.probabilities, data.labels, data.kind) == pytest.approx(expected, rel=0, abs=1e-12)


@settings(deadline=None)
@given(cases())
def test_auc_depends_on_the_order_of_scores_alone(data: Cases) -> None:
    squashed = np.exp(3 * data.probabilities.astype(np.float64))
    np.testing.assert_array_equal(
        per_label_auc(squashed, data.labels, data.kind),
        per_label_auc(data.probabilities, data.labels, data.kind),
    )


@settings(deadline=None)
@given(cases())
def test_reversed_scores_give_the_complement(data: Cases) -> None:
    forward = per_label_auc(data.probabilities, data.labels, data.kind)
    backward = per_label_auc(-data.probabilities, data.labels, data.kind)
    np.testing.assert_allclose(forward + backward, 1, rtol=0, atol=1e-15)


def test_per_label_auc_keeps_the_order_of_labels() -> None:
    labels = np.array([[1, 0], [0, 1], [0, 0], [1, 1]])
    probabilities = np.array([[0.9, 0.9], [0.1, 0.8], [0.2, 0.7], [0.8, 0.1]])
    np.testing.assert_array_equal(per_label_auc(probabilities, labels, "multi-label"), [1.0, 0.25])


@pytest.mark.parametrize(
    ("probabilities", "labels", "kind", "message"),
    [
        ([[0.1], [np.nan]], [[0], [1]], "binary", "finite probabilities; found NaN or infinity in 1 of 2"),
        ([[0.1], [np.inf]], [[0], [1]], "binary", "finite probabilities"),
        ([[0.1], [0.2]], [[1], [1]], "binary", "AUC of label 0 is undefined.*2 positive and 0 negative"),
        ([[0.1, 0.9], [0.2, 0.8]], [[0, 1], [1, 1]], "multi-label", "AUC of label 1 is undefined"),
        ([[0.1, 0.2, 0.7], [0.2, 0.2, 0.6]], [[0], [1]], "multi-class", "AUC of label 2 is undefined"),
        ([[0.1, 0.9], [0.2, 0.8]], [[0], [2]], "multi-class", "labels from 0 to 1; found 0 to 2"),
        ([[0.1, 0.9], [0.2, 0.8]], [[-1], [1]], "binary", "labels from 0 to 1; found -1 to 1"),
        (
            [[0.1, 0.9], [0.2, 0.8]],
            [0, 1],
            "binary",
            r"labels of shape \(2, 1\); found int64 of shape \(2,\)",
        ),
        ([[0.1, 0.9], [0.2, 0.8]], [[0], [1]], "multi-label", r"labels of shape \(2, 2\)"),
        ([[0.1, 0.9], [0.2, 0.8]], [[0.0], [1.0]], "binary", "integer binary labels"),
        ([0.1, 0.9], [[0], [1]], "binary", r"shape \(cases, outputs\)"),
        ([[1, 0], [0, 1]], [[0], [1]], "binary", "floating-point probabilities"),
        (np.zeros((0, 2)), np.zeros((0, 1), int), "binary", "at least one case"),
        ([[0.1], [0.2]], [[0], [1]], "binary-class", "label kind of binary, multi-class, multi-label"),
    ],
)
def test_wrong_input_is_named(probabilities: object, labels: object, kind: LabelKind, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc(np.array(probabilities), np.array(labels), kind)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 2**32))
def test_replicates_equal_scikit_learn_on_the_same_resamples(data: Cases, seed: int) -> None:
    worse = np.roll(data.probabilities, 1, axis=0)
    both = [data.probabilities, worse]
    replicates = bootstrap_auc(both, data.labels, data.kind, np.random.default_rng(seed), 4)
    assert replicates.shape == (2, 4)

    rng = np.random.default_rng(seed)
    for replicate in replicates.T:
        drawn = next_defined_resample(data, rng)
        expected = [sklearn_auc(Cases(model, data.labels, data.kind), drawn) for model in both]
        np.testing.assert_allclose(replicate, expected, rtol=0, atol=1e-12)


def next_defined_resample(data: Cases, rng: np.random.Generator) -> Labels:
    while True:
        weights = resample(data.labels, data.kind, rng, 1)[0]
        drawn = np.repeat(np.arange(len(weights)), weights)
        if data.kind != "multi-label" or np.all(np.ptp(data.labels[drawn], axis=0) == 1):
            return drawn


@settings(deadline=None)
@given(cases(), st.integers(0, 2**32), st.integers(1, 4))
def test_resampling_keeps_strata_and_does_not_depend_on_the_chunk(data: Cases, seed: int, first: int) -> None:
    whole = resample(data.labels, data.kind, np.random.default_rng(seed), 5)
    rng = np.random.default_rng(seed)
    parts = [resample(data.labels, data.kind, rng, count) for count in (first, 5 - first)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(whole.sum(axis=1), len(data.labels))
    if data.kind != "multi-label":
        for value, size in zip(*np.unique(data.labels, return_counts=True), strict=True):
            np.testing.assert_array_equal(whole[:, data.labels[:, 0] == value].sum(axis=1), size)


def test_resampling_draws_all_cases_alike() -> None:
    labels = np.array([[0]] * 3 + [[1]] * 7)
    for kind, variances in (("binary", [2 / 3] * 3 + [6 / 7] * 7), ("multi-label", [0.9] * 10)):
        weights = resample(labels, kind, np.random.default_rng(0), 20_000)  # type: ignore[arg-type]
        np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
        np.testing.assert_allclose(weights.var(axis=0), variances, atol=0.05)


def test_replicates_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    data = simulated("multi-label", 12, np.random.default_rng(5))  # small, so that some are drawn again
    models = [data.probabilities]
    whole = bootstrap_auc(models, data.labels, data.kind, np.random.default_rng(1), 300)
    monkeypatch.setattr("medevonet.statistics.auc._CHUNK_WEIGHTS", 7 * 12)
    np.testing.assert_array_equal(
        bootstrap_auc(models, data.labels, data.kind, np.random.default_rng(1), 300), whole
    )


def test_bootstrap_that_hardly_ever_has_both_classes_is_refused() -> None:
    labels = np.eye(12, dtype=np.uint8)
    with pytest.raises(ValueError, match="only 0 of 1000 resamples had both classes of every label"):
        bootstrap_auc([labels.astype(np.float64)], labels, "multi-label", np.random.default_rng(0), 10)


def naive_covariance(a: Probabilities, b: Probabilities, positive: Labels) -> float:
    """DeLong's covariance of the AUCs of two scores by all pairs: S10 / P + S01 / Q."""

    def wins(scores: Probabilities) -> Floats:
        first, second = scores[positive == 1, np.newaxis], scores[np.newaxis, positive == 0]
        return np.where(first > second, 1.0, np.where(first == second, 0.5, 0.0))

    wins_a, wins_b = wins(a), wins(b)
    s10 = np.cov(wins_a.mean(axis=1), wins_b.mean(axis=1))[0, 1]
    s01 = np.cov(wins_a.mean(axis=0), wins_b.mean(axis=0))[0, 1]
    return float(s10 / wins_a.shape[0] + s01 / wins_a.shape[1])


@settings(deadline=None)
@given(cases(kinds=("binary",)))
def test_delong_equals_the_textbook_for_binary_labels(data: Cases) -> None:
    a, b = data.probabilities, np.roll(data.probabilities, 1, axis=0)
    f, g = (delong_influence(scores, data.labels, "binary") for scores in (a, b))
    for product, first, second in ((f @ f, a, a), (f @ g, a, b), (g @ g, b, b)):
        expected = naive_covariance(first[:, -1], second[:, -1], data.labels[:, 0])
        assert product == pytest.approx(expected, rel=0, abs=1e-12)


@settings(deadline=None)
@given(cases(kinds=("multi-label",)))
def test_delong_equals_the_textbook_for_each_of_several_labels(data: Cases) -> None:
    for i in range(data.labels.shape[1]):
        column, labels = data.probabilities[:, i : i + 1], data.labels[:, i : i + 1]
        influence = delong_influence(column, labels, "multi-label")
        expected = naive_covariance(column[:, 0], column[:, 0], labels[:, 0])
        assert influence @ influence == pytest.approx(expected, rel=0, abs=1e-12)


@settings(deadline=None)
@given(cases(kinds=("multi-label",)))
def test_influence_on_the_mean_is_the_mean_of_the_labels_influences(data: Cases) -> None:
    single = [
        delong_influence(data.probabilities[:, i : i + 1], data.labels[:, i : i + 1], "multi-label")
        for i in range(data.labels.shape[1])
    ]
    whole = delong_influence(data.probabilities, data.labels, "multi-label")
    np.testing.assert_allclose(whole, np.mean(single, axis=0), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_influences_sum_to_zero(kind: LabelKind) -> None:
    data = simulated(kind, 100, np.random.default_rng(2))
    assert delong_influence(data.probabilities, data.labels, kind).sum() == pytest.approx(0, abs=1e-14)


def test_delong_needs_two_cases_of_a_class() -> None:
    with pytest.raises(ValueError, match="needs two cases of every class; found one with label 2"):
        delong_influence(
            np.random.default_rng(0).random((5, 3)), np.array([[0], [0], [1], [1], [2]]), "multi-class"
        )


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_bootstrap_and_delong_agree(kind: LabelKind) -> None:
    data = simulated(kind, 600, np.random.default_rng(3))
    other = data.probabilities + np.random.default_rng(4).normal(size=data.probabilities.shape)
    first, second = bootstrap_auc(
        [data.probabilities, other], data.labels, kind, np.random.default_rng(0), 4000
    )
    f, g = (delong_influence(scores, data.labels, kind) for scores in (data.probabilities, other))
    assert first.std(ddof=1) == pytest.approx(np.linalg.norm(f), rel=0.05)
    assert (first - second).std(ddof=1) == pytest.approx(np.linalg.norm(f - g), rel=0.05)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(
        f @ g / np.linalg.norm(f) / np.linalg.norm(g), abs=0.05
    )


def test_labels_that_say_the_same_do_not_halve_the_variance() -> None:
    data = simulated("binary", 200, np.random.default_rng(6))
    labels, scores = np.repeat(data.labels, 2, axis=1), np.repeat(data.probabilities[:, -1:], 2, axis=1)
    single = delong_influence(data.probabilities, data.labels, "binary")
    double = delong_influence(scores, labels, "multi-label")
    assert double @ double == pytest.approx(single @ single)


@pytest.mark.parametrize("kind", ["binary", "multi-label"])
def test_standard_errors_and_intervals_hold_on_fresh_samples(kind: LabelKind) -> None:
    """Over fresh test sets: 95% intervals cover the true AUC, and DeLong's error is the true spread."""
    true_auc = NormalDist().cdf(1 / math.sqrt(2 * (1 + 0.7**2)))
    rng = np.random.default_rng(7)
    aucs, variances, covered = [], [], 0
    for _ in range(300):
        data = simulated(kind, 150, rng)
        aucs.append(auc(data.probabilities, data.labels, kind))
        variances.append(float((delong_influence(data.probabilities, data.labels, kind) ** 2).sum()))
        low, high = percentile_interval(bootstrap_auc([data.probabilities], data.labels, kind, rng, 200)[0])
        covered += low <= true_auc <= high
    assert np.mean(aucs) == pytest.approx(true_auc, abs=0.01)
    assert math.sqrt(np.mean(variances)) == pytest.approx(np.std(aucs), rel=0.12)
    assert 0.90 <= covered / 300 <= 0.99


def test_benchmark_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It asserts that its two ways give the same values."""
    script = PROJECT / "benchmarks" / "bootstrap.py"
    options = ["--replicates", "2", "--loop-replicates", "1", "--repeats", "1"]
    monkeypatch.setattr("sys.argv", [str(script), *options])
    runpy.run_path(str(script), run_name="__main__")
    assert "\nratio: " in capsys.readouterr().out
