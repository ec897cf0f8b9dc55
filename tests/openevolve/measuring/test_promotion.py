"""Properties of the promotion rule, and what an audit of it says."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from openevolve.measuring.promotion import Audit, Climb, Judged, PromotionRule, audit, calibrate
from openevolve.records.decision import Decision, Verdict
from openevolve.settings.models import LadderConfig

SCORE = st.floats(-100, 100) | st.sampled_from([0.0, 0.5, 1.0])  # ties too
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=3, max_size=40)
CLIMBS = st.lists(
    st.builds(lambda score, final: Climb({1: score}, final), SCORE, st.none() | SCORE), max_size=40
)
SETTINGS = st.builds(
    LadderConfig,
    min_full=st.integers(3, 12),
    top_share=st.floats(0, 1),
    audit_share=st.floats(0, 1),
    empty_cell=st.floats(0, 1),
    confidence=st.floats(0.01, 1),
)
DRAW = st.floats(0, 1, exclude_max=True)
STEADY = LadderConfig(min_full=8, top_share=0.2, audit_share=0.1, confidence=0.8, empty_cell=0.6)


def noisy_climbs(count: int, seed: int, noise: float = 0.02) -> list[Climb]:
    """Final scores that follow those of the rung, but for some noise."""
    rng = random.Random(seed)
    scores = [rng.uniform(0.5, 0.9) for _ in range(count)]
    return [Climb({1: score}, 0.4 + 0.6 * score + rng.gauss(0, noise)) for score in scores]


@given(SETTINGS, CLIMBS, SCORE, SCORE, st.none() | SCORE, DRAW)
def test_a_higher_score_is_never_rejected_where_a_lower_is_promoted(
    settings: LadderConfig, climbs: Sequence[Climb], one: float, other: float, beat: float | None, draw: float
) -> None:
    rule = PromotionRule(settings, climbs)
    lower = rule.decide(1, min(one, other), beat, draw)
    higher = rule.decide(1, max(one, other), beat, draw)
    order = (Verdict.REJECTED, Verdict.AUDITED, Verdict.PROMOTED)
    assert order.index(lower.verdict) <= order.index(higher.verdict)


@given(SETTINGS, CLIMBS, SCORE, st.none() | SCORE, DRAW)
def test_everything_goes_on_before_enough_full_evaluations(
    settings: LadderConfig, climbs: Sequence[Climb], score: float, beat: float | None, draw: float
) -> None:
    decision = PromotionRule(settings, climbs).decide(1, score, beat, draw)
    full = sum(climb.final is not None for climb in climbs)
    assert decision.full == full
    assert decision.judged == (full >= settings.min_full)
    if not decision.judged:
        assert decision.verdict is Verdict.PROMOTED


@given(SETTINGS, CLIMBS, SCORE, st.none() | SCORE, DRAW, st.randoms(use_true_random=False))
def test_the_order_of_what_was_learned_does_not_matter(
    settings: LadderConfig,
    climbs: Sequence[Climb],
    score: float,
    beat: float | None,
    draw: float,
    rng: random.Random,
) -> None:
    shuffled = list(climbs)
    rng.shuffle(shuffled)
    decide = [PromotionRule(settings, known).decide(1, score, beat, draw) for known in (climbs, shuffled)]
    assert decide[0] == decide[1]


@given(SETTINGS, CLIMBS, SCORE, SCORE, SCORE, DRAW)
def test_more_to_beat_never_helps(
    settings: LadderConfig, climbs: Sequence[Climb], score: float, one: float, other: float, draw: float
) -> None:
    rule = PromotionRule(settings, climbs)
    easy = rule.decide(1, score, min(one, other), draw)
    hard = rule.decide(1, score, max(one, other), draw)
    assert easy.verdict is Verdict.PROMOTED or hard.verdict is not Verdict.PROMOTED


@given(SETTINGS, CLIMBS, SCORE, st.none() | SCORE, DRAW)
def test_a_decision_goes_to_json_and_back(
    settings: LadderConfig, climbs: Sequence[Climb], score: float, beat: float | None, draw: float
) -> None:
    decision = PromotionRule(settings, climbs).decide(1, score, beat, draw)
    assert Decision.from_json(decision.to_json()) == decision


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_of_programs_that_beat_nothing_the_top_share_goes_on(share: float) -> None:
    settings = STEADY.model_copy(update={"top_share": share, "audit_share": 0.0})
    rng = random.Random(1)
    climbs = noisy_climbs(8, seed=1)
    promoted = 0
    for _ in range(2000):
        score = rng.uniform(0.5, 0.9)
        decision = PromotionRule(settings, climbs).decide(1, score, 2.0, 0.0)
        promoted += decision.verdict is Verdict.PROMOTED
        climbs.append(Climb({1: score}))
    assert promoted / 2000 == pytest.approx(share, abs=0.04)


def test_of_the_rejected_the_audit_share_goes_on_marked() -> None:
    rule, rng = PromotionRule(STEADY, noisy_climbs(40, seed=2)), random.Random(2)
    verdicts = [rule.decide(1, 0.4, None, rng.random()).verdict for _ in range(4000)]
    assert set(verdicts) == {Verdict.REJECTED, Verdict.AUDITED}
    assert verdicts.count(Verdict.AUDITED) / 4000 == pytest.approx(STEADY.audit_share, abs=0.02)


def test_a_program_goes_on_where_it_may_beat_its_cell() -> None:
    rule = PromotionRule(STEADY, noisy_climbs(40, seed=3))
    middling = rule.decide(1, 0.7, 0.80, 0.99)
    assert middling.predicted == pytest.approx(0.82, abs=0.02)
    assert middling.margin is not None
    assert 0 < middling.margin < 0.1
    assert middling.verdict is Verdict.PROMOTED
    assert rule.decide(1, 0.7, 0.95, 0.99).verdict is Verdict.REJECTED  # of the top share it is not


@pytest.mark.parametrize(("share", "place"), [(0.0, 0), (0.25, 9), (0.5, 19), (0.51, 20), (1.0, 39)])
def test_in_an_empty_cell_a_program_has_to_reach_a_quantile_of_the_final_scores(
    share: float, place: int
) -> None:
    climbs = noisy_climbs(40, seed=3)
    finals = sorted(climb.final for climb in climbs if climb.final is not None)
    rule = PromotionRule(STEADY.model_copy(update={"empty_cell": share, "top_share": 0.0}), climbs)
    low, high = rule.decide(1, 0.5, None, 0.99), rule.decide(1, 0.9, None, 0.99)
    for decision in (low, high):
        assert (decision.to_beat, decision.elite) == (finals[place], False)
    assert (low.verdict is Verdict.PROMOTED) == (share == 0.0)
    assert high.verdict is Verdict.PROMOTED
    elite = rule.decide(1, 0.5, 0.1, 0.99)
    assert (elite.to_beat, elite.elite, elite.verdict) == (0.1, True, Verdict.PROMOTED)


def test_what_is_expected_in_an_empty_cell_does_not_rise_with_every_rejection() -> None:
    """A stream of equal programs: the share that goes on stays what the quantile says."""
    rng = random.Random(3)
    settings = LadderConfig(min_full=8, top_share=0, audit_share=0, confidence=0.5, empty_cell=0.7)
    climbs = noisy_climbs(8, seed=1, noise=0.001)
    expected = []
    for _ in range(300):
        score = rng.uniform(0.5, 0.9)
        decision = PromotionRule(settings, climbs).decide(1, score, None, draw=0.5)
        promoted = decision.verdict is Verdict.PROMOTED
        climbs.append(Climb({1: score}, 0.4 + 0.6 * score if promoted else None))
        expected.append(decision.to_beat or 0.0)
    truth = 0.4 + 0.6 * (0.5 + 0.7 * 0.4)
    assert abs(expected[-1] - truth) < 0.02
    assert 0.2 < sum(climb.final is not None for climb in climbs[-150:]) / 150 < 0.4


def test_the_reason_names_what_was_to_beat() -> None:
    rule = PromotionRule(STEADY, noisy_climbs(40, seed=3))
    reasons = [rule.decide(1, 0.5, elite, 0.99).explanation() for elite in (None, 0.95)]
    assert reasons[0].endswith("is expected in full; of a program in an empty cell is expected 0.8477")
    assert reasons[1].endswith("is expected in full; the elite of its cell has 0.95")


def test_the_best_score_of_a_rung_always_goes_on() -> None:
    settings = STEADY.model_copy(update={"top_share": 0.01})
    rule = PromotionRule(settings, noisy_climbs(40, seed=4))
    assert rule.decide(1, 0.95, 2.0, 0.99).verdict is Verdict.PROMOTED


def test_rungs_are_judged_apart() -> None:
    climbs = [Climb({1: x / 10, 2: -x / 10}, x / 10) for x in range(10)]
    rule = PromotionRule(STEADY, climbs)
    assert rule.decide(3, 0.0, None, 0.99).full == 0
    first, second = rule.decide(1, 0.8, None, 0.99), rule.decide(2, 0.8, None, 0.99)
    assert first.better == 1
    assert second.better == 0
    assert first.predicted != second.predicted


@given(PAIRS, st.floats(0.01, 1))
def test_the_line_never_falls_and_the_margin_is_never_negative(
    pairs: Sequence[tuple[float, float]], confidence: float
) -> None:
    calibration = calibrate(pairs, confidence)
    assert calibration.slope >= 0
    assert calibration.margin >= 0


@given(PAIRS, st.floats(-10, 10), st.floats(0.1, 10), st.floats(-10, 10), st.floats(0.1, 10))
def test_the_units_of_scores_do_not_matter(
    pairs: Sequence[tuple[float, float]], shift: float, scale: float, shift_final: float, scale_final: float
) -> None:
    scores = [x for x, _ in pairs]
    assume(max(scores) - min(scores) > 1)
    moved = [(shift + scale * x, shift_final + scale_final * y) for x, y in pairs]
    plain, other = calibrate(pairs, 0.9), calibrate(moved, 0.9)
    for x in scores:
        expected = shift_final + scale_final * plain.predict(x)
        assert other.predict(shift + scale * x) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_equal_rung_scores_predict_the_mean() -> None:
    calibration = calibrate([(0.5, 0.2), (0.5, 0.4), (0.5, 0.9)], 0.9)
    assert calibration.slope == 0
    assert calibration.predict(7.0) == pytest.approx(0.5)


@pytest.mark.parametrize("confidence", [0.6, 0.8, 0.95])
def test_the_margin_covers_as_many_new_programs_as_it_says(confidence: float) -> None:
    """Over many small runs: the property that calibration is about."""
    covered = 0
    for seed in range(2000):
        *known, new = noisy_climbs(21, seed, noise=0.05)
        calibration = calibrate([(c.scores[1], c.final or 0.0) for c in known], confidence)
        assert new.final is not None
        covered += new.final <= calibration.predict(new.scores[1]) + calibration.margin
    assert covered / 2000 == pytest.approx(confidence, abs=0.04)


def judged(promoted: Sequence[float], audited: Sequence[float], to_beat: float | None = None) -> list[Judged]:
    return [Judged(Verdict.PROMOTED, final, to_beat) for final in promoted] + [
        Judged(Verdict.AUDITED, final, to_beat) for final in audited
    ]


def test_recall_counts_each_audited_program_for_those_it_stands_for() -> None:
    programs = judged(promoted=[0.9] * 8 + [0.5] * 10, audited=[0.9] * 2 + [0.5] * 20)
    found = audit(programs, [p.final for p in programs], rejected=66)
    assert (found.promoted, found.audited, found.good, found.rejected) == (8, 22, 2, 88)
    recall = found.recall()
    assert recall is not None
    assert recall[0] == pytest.approx(8 / (8 + 88 * 2 / 22))
    # Wilson's interval of 2 in 22, from a table: .0253 to .2781
    assert recall[1:] == pytest.approx((8 / (8 + 88 * 0.2781), 8 / (8 + 88 * 0.0253)), rel=2e-3)


def test_good_is_also_what_would_have_beaten_its_cell() -> None:
    programs = judged([0.5] * 5, [0.1] * 4, to_beat=0.4) + judged([], [0.45], to_beat=0.4)
    finals = [p.final for p in programs] + [0.9] * 100
    found = audit(programs, finals, rejected=5)
    assert (found.promoted, found.good) == (5, 1)
    assert found.recall() == pytest.approx((5 / (5 + 10 * 1 / 5), 5 / (5 + 6), 5 / (5 + 1)))


@pytest.mark.parametrize(
    ("promoted", "audited"), [([], []), ([0.9] * 20, []), ([0.1] * 2, [0.1] * 20)], ids=str
)
def test_nothing_to_go_by_is_said(promoted: Sequence[float], audited: Sequence[float]) -> None:
    found = audit(judged(promoted, audited), [0.9, 0.8, 0.7] * 10, rejected=40)
    assert found.recall() is None
    assert str(found).startswith("unknown (")
    assert str(found).endswith(f"among {len(audited)} audited)")


def test_a_few_audits_leave_a_wide_interval() -> None:
    found = audit(judged([0.9] * 12, [0.1] * 2), [0.9, 0.1] * 10, rejected=70)
    assert str(found) == ("1.000 (95%: 0.202 to 1.000; 12 good programs promoted, 0 among 2 audited)")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_the_interval_holds_the_estimate_and_all_that_is_possible(
    promoted: int, good: int, poor: int, unseen: int
) -> None:
    assume(promoted + good > 0)
    assume(good + poor > 0)
    recall = Audit(promoted, good + poor, good, good + poor + unseen).recall()
    assert recall is not None
    estimate, low, high = recall
    assert 0 <= low <= estimate + 1e-12
    assert estimate <= high + 1e-12
    assert high <= promoted / (promoted + good) + 1e-12
    assert low >= promoted / (promoted + good + unseen) - 1e-12
    if unseen == 0:
        assert low == pytest.approx(high)


def test_an_audit_of_many_random_runs_finds_the_true_recall() -> None:
    """Of programs whose fate is known, a fifth is audited: the interval has its share of the truths."""
    rng = random.Random(5)
    truths, estimates, covered = [], [], 0
    for _ in range(300):
        finals = [rng.random() for _ in range(200)]
        promoted = [rng.random() < 0.5 + final / 2 for final in finals]
        fates = list(zip(finals, promoted, strict=True))
        passed = [final for final, goes_on in fates if goes_on]
        audited = [final for final, goes_on in fates if not goes_on and rng.random() < 0.2]
        recall = audit(judged(passed, audited), finals, len(finals) - len(passed) - len(audited)).recall()
        assert recall is not None
        truth = sum(goes_on for _, goes_on in sorted(fates, reverse=True)[:40]) / 40
        truths.append(truth)
        estimates.append(recall[0])
        covered += recall[1] <= truth <= recall[2]
    assert sum(estimates) / 300 == pytest.approx(sum(truths) / 300, abs=0.02)
    assert covered / 300 > 0.9
