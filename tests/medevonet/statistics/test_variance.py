"""The two answers: their variances by hand, against simulation, and the levels of all tests."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.levels import (
    OTHER_CASES,
    SAME_CASES,
    World,
    binary_trainings,
    draw,
    first,
    labels_of,
    simulate,
)
from medevonet.label_kind import LABEL_KINDS, LabelKind
from medevonet.statistics.auc import auc, bootstrap_auc, delong_influence, mean_of_trainings
from medevonet.statistics.comparison import mean_row, row_of
from medevonet.statistics.student import two_sided_p_value
from medevonet.statistics.variance import (
    Pool,
    Term,
    Trainings,
    combined,
    for_new_patients,
    for_these_weights,
    on_these_images,
    trainings_of,
)

A, B = draw(OTHER_CASES, 120, 4, np.random.default_rng(0))[:2]


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_trainings_hold_delongs_components(kind: LabelKind) -> None:
    rng = np.random.default_rng(1)
    outputs = {"binary": 2, "multi-class": 3, "multi-label": 3}[kind]
    shape = (40, outputs if kind == "multi-label" else 1)
    labels = (np.arange(math.prod(shape)) % (2 if kind == "multi-label" else outputs)).reshape(shape)
    models = [rng.random((40, outputs)) for _ in range(3)]
    found = trainings_of(models, labels, kind)
    assert (len(found), found.cases) == (3, 40)
    assert found.aucs.tolist() == [auc(model, labels, kind) for model in models]
    expected = [delong_influence(model, labels, kind) for model in models]
    np.testing.assert_array_equal(found.influences, expected)


def test_the_simulations_trainings_are_those_of_the_statistics() -> None:
    rng = np.random.default_rng(7)
    labels = labels_of(90, "binary")
    scores = rng.normal(size=(3, 90)) + labels[:, 0]
    quick, exact = (
        binary_trainings(scores, labels[:, 0]),
        trainings_of(list(scores[:, :, None]), labels, "binary"),
    )
    np.testing.assert_allclose(quick.aucs, exact.aucs, rtol=1e-12)
    np.testing.assert_allclose(quick.influences, exact.influences, rtol=1e-10)
    np.testing.assert_array_equal(quick.strata, exact.strata)


def test_interaction_is_half_the_mean_squared_distance_of_two_trainings() -> None:
    distances = [((first_ - second) ** 2).sum() for first_, second in itertools.combinations(A.influences, 2)]
    assert A.interaction_variance == pytest.approx(np.mean(distances) / 2)
    assert A.training_variance == pytest.approx(max(0, A.total_variance - A.interaction_variance))


def between(a: Trainings, b: Trainings) -> float:
    """Σ g² by hand."""
    gap = b.influences.mean(axis=0) - a.influences.mean(axis=0)
    positive = a.strata == 1
    return float(sum((gap[of] ** 2).sum() * (of.sum() - 1) / of.sum() for of in (positive, ~positive)))


def test_variance_for_new_patients_by_hand() -> None:
    a, b, _ = draw(OTHER_CASES, 600, 4, np.random.default_rng(0))
    b = first(b, 3)
    answer, these = for_new_patients(a, b), on_these_images(a, b)
    assert answer is not None
    assert these is not None
    assert min(each.training_variance for each in (a, b)) > 0
    training = a.training_variance / 4 + b.training_variance / 3
    assert answer.variance == pytest.approx(between(a, b) + training)
    assert answer.difference == pytest.approx(b.aucs.mean() - a.aucs.mean())
    assert answer.degrees > these.degrees


def test_new_patients_vary_at_least_as_much_as_these_images() -> None:
    """Where the cases say less than the interaction of training and case would, they add nothing."""
    rng = np.random.default_rng(6)
    cut = 0
    for _ in range(40):
        a, b, _ = draw(SAME_CASES, 100, 3, rng)
        these, new = on_these_images(a, b), for_new_patients(a, b)
        assert these is not None
        assert new is not None
        interaction = (a.interaction_variance + b.interaction_variance) / 3
        added = between(a, b) - interaction
        assert new.variance == pytest.approx(these.variance + max(0.0, added))
        cut += added < 0
        if added < 0:
            assert new.degrees == these.degrees
    assert 5 < cut < 35


def test_answer_on_these_images_is_welchs() -> None:
    answer = on_these_images(A, B)
    assert answer is not None
    assert answer.variance == pytest.approx((A.aucs.var(ddof=1) + B.aucs.var(ddof=1)) / 4)
    assert 3 <= answer.degrees <= 6
    low, high = answer.interval()
    assert two_sided_p_value(answer.difference - low, answer.standard_error, answer.degrees) == (
        pytest.approx(0.05)
    )
    assert (low + high) / 2 == pytest.approx(answer.difference)


def test_swapping_the_programs_negates_every_answer() -> None:
    forward, backward = row_of(A, B).answers, row_of(B, A).answers
    assert list(forward) == ["on these images", "for new patients"]
    for question, answer in forward.items():
        assert backward[question].difference == -answer.difference
        assert backward[question].p_value == pytest.approx(answer.p_value)


def test_single_trainings_answer_for_their_weights_only() -> None:
    a, b = first(A, 1), first(B, 1)
    assert list(row_of(a, b).answers) == ["for these weights only"]
    assert on_these_images(a, B) is for_new_patients(a, B) is None
    gap = b.influences[0] - a.influences[0]
    assert for_these_weights(a, b).variance == pytest.approx(gap @ gap, rel=0.05)


def test_a_pool_stands_in_for_the_variance_of_training() -> None:
    pool = Pool.of([A, B, first(B, 1)])
    assert pool is not None
    assert pool.degrees == 6
    assert pool.total_variance == pytest.approx((A.total_variance + B.total_variance) / 2)
    answers = row_of(first(A, 1), first(B, 1), pool).answers
    assert list(answers) == ["on these images", "for new patients"]
    assert answers["on these images"].variance == pytest.approx(2 * pool.total_variance)
    weights = for_these_weights(first(A, 1), first(B, 1)).variance
    assert weights > 2 * pool.interaction_variance
    expected = weights + 2 * (pool.total_variance - pool.interaction_variance)
    assert answers["for new patients"].variance == pytest.approx(expected)
    assert Pool.of([first(A, 1)]) is None


def test_equal_programs_do_not_differ() -> None:
    for answer in row_of(A, A).answers.values():
        assert (answer.difference, answer.p_value) == (0, 1)


def test_degrees_lie_between_the_fewest_and_all() -> None:
    assert combined([Term(1.0, 2), Term(0.0, 3)]) == (1.0, 2)
    assert combined([Term(0.0, 2)]) == (0.0, math.inf)
    variance, degrees = combined([Term(1.0, 9), Term(1.0, 9)])
    assert (variance, degrees) == (2.0, 18)
    assert combined([Term(1e-9, 2), Term(1.0, 50)])[1] == pytest.approx(50, rel=1e-3)
    assert combined([Term(1.0, math.inf)]) == (1.0, math.inf)
    assert combined([Term(1.0, 2), Term(1.0, math.inf)]) == (2.0, 14)


def test_the_mean_over_data_sets_has_the_answers_that_all_have() -> None:
    single = row_of(first(A, 1), first(B, 1), Pool.of([A, B]))
    mean = mean_row([row_of(A, B), single])
    assert (mean.cases, mean.trainings) == (240, (1, 1))
    for question, answer in mean.answers.items():
        parts = [row.answers[question] for row in (row_of(A, B), single)]
        assert answer.difference == pytest.approx(np.mean([part.difference for part in parts]))
        assert answer.variance == pytest.approx(sum(part.variance for part in parts) / 4)
    assert mean_row([row_of(A, B), row_of(first(A, 1), first(B, 1))]).answers == {}


def test_variance_is_that_of_the_difference_on_fresh_trainings_and_patients() -> None:
    rng = np.random.default_rng(2)
    world = replace(OTHER_CASES, luck=0.2)
    found = [row_of(*draw(world, 200, 3, rng)[:2]).answers["for new patients"] for _ in range(400)]
    variances = [answer.variance for answer in found]
    assert np.mean(variances) == pytest.approx(np.var([answer.difference for answer in found]), rel=0.2)


def test_standard_error_of_one_program_counts_the_interaction_once() -> None:
    """The bootstrap's replicates of a mean over trainings vary as that mean does on fresh data."""
    rng = np.random.default_rng(3)
    world = replace(OTHER_CASES, interaction=0.6, program=0.0, shared=0.4)
    labels = (np.arange(150) < 50).astype(np.uint8)[:, None]
    means, variances = [], []
    for _ in range(150):
        common = rng.normal(scale=world.shared**0.5, size=(150, 1))
        models = [
            common + rng.normal(scale=world.interaction**0.5, size=(150, 1)) + labels * rng.normal(1.3, 0.2)
            for _ in range(3)
        ]
        aucs = [auc(model, labels, "binary") for model in models]
        replicates = mean_of_trainings(bootstrap_auc(models, labels, "binary", rng, 200), aucs, rng)
        means.append(np.mean(aucs))
        variances.append(replicates.var(ddof=1))
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.25)


def level(p_values: list[float]) -> float:
    return float(np.mean(np.array(p_values) < 0.05))


@pytest.mark.parametrize(("world", "sizes"), [(SAME_CASES, [150]), (OTHER_CASES, [100, 300])])
def test_every_test_holds_its_level(world: World, sizes: list[int]) -> None:
    """Few replicates: benchmarks/levels.py measures more closely. Allowed: three standard errors of .05."""
    replicates = 300
    tallies = simulate(world, sizes, replicates, difference=0.03, seed=4)
    assert {key[2] for key in tallies} == {"1", "1, pooled", "3", "5", "10"}
    for key, tally in tallies.items():
        assert 0.012 <= level(tally.null) <= 0.088, key
    powers = {key: level(tally.gain) for key, tally in tallies.items()}
    for (name, cases, trainings, question), power in powers.items():
        if trainings == "3":
            assert power < powers[name, cases, "10", question]


def test_luck_of_training_breaks_a_test_for_these_weights() -> None:
    """What is left out of single trainings' own test: a true null is rejected far too often."""
    rng = np.random.default_rng(5)
    pairs: list[tuple[Trainings, ...]] = [draw(OTHER_CASES, 600, 1, rng) for _ in range(200)]
    assert level([for_these_weights(a, b).p_value for a, b, _ in pairs]) > 0.12
