"""Which programs are worth a full evaluation: the rule that decides on the lower rungs of a ladder.

A rung is a cheap look at a program: less training, less data. From the programs that were evaluated
in full the rule learns how a rung's score relates to the final one, predicts the latter for a new
program, and adds a margin that covers a share of its earlier errors. A program whose prediction does not
reach what it has to beat with that is rejected: the elite of its cell, or what the settings expect of a
program in an empty one. The margin is what makes the rule calibrated: where a rung says little, earlier
errors were large, and more goes on.

Pure: no files, no clock, no random numbers of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openevolve.records.decision import Decision, Verdict
from openevolve.settings.models import LadderConfig

_ROUNDING = 1e-12
LARGEST_SCORE = 1e100  # in size; sums of squares must not overflow


@dataclass(frozen=True)
class Climb:
    """How far one program came: its score on each rung and, once evaluated in full, its final one."""

    scores: Mapping[int, float]
    final: float | None = None


@dataclass(frozen=True)
class Calibration:
    """A line from the score of a rung to the final one, and the margin above it."""

    mean_score: float
    mean_final: float
    slope: float
    margin: float

    def predict(self, score: float) -> float:
        return self.mean_final + self.slope * (score - self.mean_score)


class PromotionRule:
    """Decides from a fixed set of climbs; equal climbs in any order give equal decisions.

    All else equal, a higher score is never rejected where a lower one is promoted: the slope is
    never negative, and neither what it has to beat nor the scores seen depend on the program's own.
    """

    def __init__(self, settings: LadderConfig, climbs: Sequence[Climb]) -> None:
        self._settings = settings
        self._climbs = climbs

    def decide(self, rung: int, score: float, elite: float | None, draw: float) -> Decision:
        """Judge a program by its score on a rung.

        Args:
            elite: the fitness of its cell's elite, which it has to beat. None where the cell is empty or
                unknown: then it has to reach the quantile ``empty_cell`` of all final scores, as far as
                they are known, else as predicted.
            draw: uniform in [0, 1), this program's own: below ``audit_share`` a rejected one goes on.
        """
        pairs = [
            (climb.scores[rung], climb.final)
            for climb in self._climbs
            if climb.final is not None and rung in climb.scores
        ]
        if len(pairs) < self._settings.min_full:
            return self.promote(rung, score)
        calibration = calibrate(pairs, self._settings.confidence)
        predicted = calibration.predict(score)
        expected = quantile(self._finals(rung, calibration), self._settings.empty_cell)
        to_beat = expected if elite is None else elite
        better, seen = self._rank(rung, score)
        # As in ASHA (Li et al., 2020), but rounded up: of few scores the best goes on, not none.
        worthy = better < self._settings.top_share * (seen + 1)
        worthy |= predicted + calibration.margin >= to_beat
        audited = Verdict.AUDITED if draw < self._settings.audit_share else Verdict.REJECTED
        return Decision(
            rung, score, Verdict.PROMOTED if worthy else audited, len(pairs), better, seen,
            predicted, calibration.margin, to_beat, elite is not None,
        )  # fmt: skip

    def _finals(self, rung: int, calibration: Calibration) -> list[float]:
        """The final scores of all that came to a rung, predicted for those that were stopped there or later.

        Without these the expectation would rise with every rejection.
        """
        return [
            calibration.predict(climb.scores[rung]) if climb.final is None else climb.final
            for climb in self._climbs
            if rung in climb.scores
        ]

    def promote(self, rung: int, score: float) -> Decision:
        """Let a program go on that too little is known to judge."""
        full = sum(climb.final is not None and rung in climb.scores for climb in self._climbs)
        return Decision(rung, score, Verdict.PROMOTED, full, *self._rank(rung, score))

    def _rank(self, rung: int, score: float) -> tuple[int, int]:
        """How many programs scored higher on a rung, of how many."""
        seen = [climb.scores[rung] for climb in self._climbs if rung in climb.scores]
        return sum(other > score for other in seen), len(seen)


def quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least that share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def calibrate(pairs: Sequence[tuple[float, float]], confidence: float) -> Calibration:
    """Fit final scores to those of a rung.

    Ridge regression on the centred score, with the weight of one more observation without any slope:
    a few noisy pairs do not fix a slope, and where they are too few the line leans towards the mean
    of the final scores. It needs no tuning (the penalty follows the scores' own spread), and one pass;
    that a single outlier tilts it is covered by the margin, which is a quantile of what the line gets
    wrong for programs it was not fitted to (each left out in turn), as in the jackknife intervals of
    Barber et al. (2021). Programs that were stopped at a higher rung have no final score and are missing
    here: what is known of a rung is known of those that went on from it.
    """
    count = len(pairs)
    mean_score = math.fsum(x for x, _ in pairs) / count
    mean_final = math.fsum(y for _, y in pairs) / count
    centred = [(x - mean_score, y - mean_final) for x, y in pairs]
    sums = _Sums(
        count,
        math.fsum(x for x, _ in centred),
        math.fsum(y for _, y in centred),
        math.fsum(x * x for x, _ in centred),
        math.fsum(x * y for x, y in centred),
    )
    errors = sorted(y - sums.without(x, y).predict(x) for x, y in centred)
    rank = min(count, math.ceil(confidence * (count + 1)))
    return Calibration(mean_score, mean_final, sums.slope(), max(0.0, errors[rank - 1]))


@dataclass(frozen=True)
class _Sums:
    """The sums that a line through a set of points is made of."""

    count: int
    x: float
    y: float
    xx: float
    xy: float

    def slope(self) -> float:
        spread = self.xx - self.x * self.x / self.count
        if spread <= _ROUNDING * self.xx:
            return 0.0  # equal scores: what differs is the subtraction's rounding
        slope = (self.xy - self.x * self.y / self.count) / (spread * (1 + 1 / self.count))
        return max(0.0, slope) if math.isfinite(slope) else 0.0

    def predict(self, x: float) -> float:
        return self.y / self.count + self.slope() * (x - self.x / self.count)

    def without(self, x: float, y: float) -> "_Sums":
        return _Sums(self.count - 1, self.x - x, self.y - y, self.xx - x * x, self.xy - x * y)


_GOOD_SHARE = 0.2  # of the final scores of a run
_Z = 1.96  # of a normal distribution's middle 95%


@dataclass(frozen=True)
class Judged:
    """A program that the rule had a say in and that was evaluated in full all the same."""

    verdict: Verdict  # promoted or audited
    final: float
    to_beat: float | None


@dataclass(frozen=True)
class Audit:
    """How many of the good programs the rule lets through, as far as audits tell."""

    promoted: int  # good ones that went on by the rule
    audited: int
    good: int  # of the audited
    rejected: int  # by the rule, the audited among them

    def recall(self) -> tuple[float, float, float] | None:
        """The share of the good programs that is promoted, and its 95% interval; None: nothing to go by.

        Audited programs are a random sample of the rejected. The interval is Wilson's (1927) for the share
        of good ones among these.
        """
        if self.audited == 0 or self.promoted + self.good == 0:
            return None
        centre = (self.good + _Z**2 / 2) / (self.audited + _Z**2)
        spread = self.good * (1 - self.good / self.audited) + _Z**2 / 4
        half = _Z * math.sqrt(spread) / (self.audited + _Z**2)
        # What was seen is certain: so many good ones were rejected, and so many others.
        least = max(centre - half, self.good / self.rejected)
        most = min(centre + half, 1 - (self.audited - self.good) / self.rejected)
        estimate, low, high = (
            self.promoted / (self.promoted + share * self.rejected)
            for share in (self.good / self.audited, most, least)
        )
        return estimate, low, high

    def __str__(self) -> str:
        counts = f"{self.promoted} good programs promoted, {self.good} among {self.audited} audited"
        recall = self.recall()
        if recall is None:
            return f"unknown ({counts})"
        estimate, low, high = recall
        return f"{estimate:.3f} (95%: {low:.3f} to {high:.3f}; {counts})"


def audit(judged: Sequence[Judged], finals: Sequence[float], rejected: int) -> Audit:
    """Count the good programs that the rule promoted and, among the audited, those that it would not have.

    Good is what beats what it had to beat, or is in the top fifth of ``finals``, the scores of all
    programs evaluated in full. ``rejected`` is the number of programs that were not.
    """
    top = sorted(finals, reverse=True)[: math.ceil(_GOOD_SHARE * len(finals))]
    good = [
        program.verdict
        for program in judged
        if program.final >= top[-1] or (program.to_beat is not None and program.final > program.to_beat)
    ]
    audited = sum(program.verdict is Verdict.AUDITED for program in judged)
    return Audit(good.count(Verdict.PROMOTED), audited, good.count(Verdict.AUDITED), rejected + audited)
