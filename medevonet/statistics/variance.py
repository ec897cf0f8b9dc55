"""How sure the difference of two programs' mean AUCs is, where each was trained several times.

Programs A and B were trained R times each, and every training scored the same N cases. Trainings are to
cases what readers are to patients in studies of radiologists: each of them reads all. On one data set the AUC
of training r of one program is ::

    AUC_r = θ + T_r + Σ_i (C_i + E_ri)

θ is the program's AUC over all trainings and patients; T_r the luck of a training, whatever it is tested on;
C_i what case i adds to all trainings of the program; E_ri what it adds to training r alone, the interaction.
To first order the last two are DeLong's structural components, f_ri = C_i + E_ri: centred within classes and
scaled, their sum of squares is the variance of AUC_r that comes from cases (``auc.delong_influence``,
which also says what several classes and labels share). So, in expectation, for one program ::

    s²     = variance of AUC_r over trainings on these cases   = σ²_T + σ²_TC
    ½ · mean over pairs of trainings of Σ_i (f_ri - f_si)²      = σ²_TC
    Σ_i f̄_i², f̄ the mean of f over trainings                   = σ²_C + σ²_TC / R

A mean over R trainings and N cases varies by σ²_C + σ²_TC/R + σ²_T/R. The third line holds the first two
terms, the interaction once; s²/R + Σ f̄² would count it twice, and a bootstrap of cases and trainings does.
With two programs on the same cases C is subtracted case by case, so that with g = f̄_B - f̄_A ::

    V = Σ_i g_i² + σ²_T,A / R_A + σ²_T,B / R_B,    σ²_T = s² - ½ · mean over pairs Σ_i (f_ri - f_si)²
      = s²_A / R_A + s²_B / R_B + σ²_AB,           σ²_AB = Σ_i g_i² - σ²_TC,A / R_A - σ²_TC,B / R_B

σ²_AB is what cases add to the difference of the programs themselves. The second line is how V is estimated,
with max(0, σ²_AB): no variance is negative, and no estimate falls below that of *on these images*. Cut off at
σ²_T ≥ 0 in the first line, the two are the same wherever neither is negative. Where programs agree about the
cases the first line's cut adds to V with a hundred cases, and hides how uncertain s² is: with R - 1 degrees
for σ²_T alone, levels were up to .077 at nominal .05 (three trainings, a thousand cases).

That is the model of Obuchowski and Rockette with trainings for readers, nested in programs, its covariances
estimated by DeLong's method. Dorfman, Berbaum and Metz analyse pseudovalues by the same model; Hillis shows
both to be one.

Two questions, two answers:

- *on these images*: would A and B trained again differ on these very images? Only trainings are random:
  variance s²_A/R_A + s²_B/R_B, Welch's test.
- *for new patients*: would they differ on other patients too, and trained again? Variance V.

The difference is held against Student's t. As Hillis does, degrees of freedom are counted for the s² alone,
R - 1 each, and σ²_AB is taken as known: (Σ v)² / Σ v²/(d + 2) - 2 over the parts v of the variance with d
degrees each, at least the fewest and at most the sum of the d. That is Satterthwaite's in the form of Welch
(1947): Satterthwaite's own are too few for three trainings. *For these weights only* the part of Σ g² that
comes from a class of n cases has n - 1. That part is taken times (n - 1)/n, as the bootstrap's variance is:
DeLong's own is too large in expectation, by the second-order part of the AUC, which shows with a hundred
cases and not with a thousand.

From a single training no variance of training can be had. Where other programs of a run were trained several
times on the data set, their pooled s² and σ²_T stand in (``Pool``). Where there is none, the answer is for
*these weights only*: V without training, DeLong's own test.

Sources:
- DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837-845.
- Obuchowski, Rockette (1995), Communications in Statistics, Simulation and Computation 24:285-308.
- Dorfman, Berbaum, Metz (1992), Investigative Radiology 27:723-731.
- Hillis (2007), Statistics in Medicine 26:596-619: both methods as one.
- Satterthwaite (1946), Biometrics Bulletin 2:110-114; Welch (1947), Biometrika 34:28-35: degrees of freedom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medevonet.label_kind import LabelKind
from medevonet.statistics.auc import Floats, Labels, Probabilities, auc_and_influence
from medevonet.statistics.student import two_sided_p_value, upper_quantile

Question = Literal["on these images", "for new patients", "for these weights only"]


@dataclass(frozen=True)
class Trainings:
    """What R trainings of one program scored on the same N cases."""

    aucs: Floats  # (R,)
    influences: Floats  # (R, N), DeLong's influence of each case on each training's AUC
    strata: Labels  # (N,), the class of each case; all alike for multi-label data

    def __len__(self) -> int:
        return len(self.aucs)

    @property
    def cases(self) -> int:
        """N."""
        return int(self.influences.shape[1])

    @property
    def auc(self) -> float:
        """The mean over trainings."""
        return float(self.aucs.mean())

    @property
    def total_variance(self) -> float:
        """s²: of one training's AUC on these cases. NaN for one training."""
        return float(self.aucs.var(ddof=1)) if len(self) > 1 else math.nan

    @property
    def training_variance(self) -> float:
        """σ²_T: the part of s² that any cases would show. NaN for one training."""
        return max(0.0, self.total_variance - self.interaction_variance)

    @property
    def interaction_variance(self) -> float:
        """σ²_TC: the part of s² that another set of as many cases would not repeat. NaN for one training."""
        if len(self) == 1:
            return math.nan
        # ½ · the mean over pairs of squared distances is the sum of the cases' variances over trainings.
        return float(self.influences.var(axis=0, ddof=1).sum())


def trainings_of(models: Sequence[Probabilities], labels: Labels, label_kind: LabelKind) -> Trainings:
    """AUCs and structural components of the trainings of one program. Raises ``ValueError`` as
    ``delong_influence`` does: an AUC that is undefined, or a class of a single case."""
    scored = [auc_and_influence(each, labels, label_kind) for each in models]
    return Trainings(
        np.array([value for value, _ in scored]),
        np.array([influence for _, influence in scored]),
        np.zeros(len(labels), dtype=np.uint8) if label_kind == "multi-label" else labels[:, 0],
    )


@dataclass(frozen=True)
class Term:
    """An estimated part of a variance, and its degrees of freedom."""

    value: float
    degrees: float


@dataclass(frozen=True)
class Pool:
    """What one training's AUC varies by, over programs that were trained several times on a data set."""

    total_variance: float  # s²: on these images
    interaction_variance: float  # σ²_TC: the part of it that other cases would not repeat
    degrees: float

    @property
    def training_variance(self) -> float:
        """σ²_T: whatever it is tested on."""
        return max(0.0, self.total_variance - self.interaction_variance)

    @classmethod
    def of(cls, programs: Sequence[Trainings]) -> "Pool | None":
        """Means weighted by degrees of freedom; None where no program was trained twice."""
        several = [each for each in programs if len(each) > 1]
        degrees = sum(len(each) - 1 for each in several)
        if not degrees:
            return None
        total = sum((len(each) - 1) * each.total_variance for each in several) / degrees
        interaction = sum((len(each) - 1) * each.interaction_variance for each in several) / degrees
        return cls(total, interaction, degrees)


@dataclass(frozen=True)
class Answer:
    """The difference B - A as an answer to one question."""

    question: Question
    difference: float
    variance: float
    degrees: float  # of freedom

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.variance)

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference."""
        return two_sided_p_value(self.difference, self.standard_error, self.degrees)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        half = upper_quantile((1 - level) / 2, self.degrees) * self.standard_error
        return self.difference - half, self.difference + half


def on_these_images(a: Trainings, b: Trainings, pool: Pool | None = None) -> Answer | None:
    """Welch's test over trainings. None where a side has one training and there is no pool."""
    training = _of_training(a, b, pool)
    return None if training is None else _answer("on these images", a, b, training)


def for_new_patients(a: Trainings, b: Trainings, pool: Pool | None = None) -> Answer | None:
    """The test by V. None where a side has one training and there is no pool."""
    training = _of_training(a, b, pool)
    if training is None:
        return None
    parts = [(a, a), (b, b)] if min(len(a), len(b)) > 1 else [(pool, a), (pool, b)]
    interaction = sum(of.interaction_variance / len(side) for of, side in parts if of)
    cases = sum(term.value for term in _of_cases(a, b)) - interaction
    return _answer("for new patients", a, b, [*training, Term(max(0.0, cases), math.inf)])


def for_these_weights(a: Trainings, b: Trainings) -> Answer:
    """DeLong's test: other patients, the same trained networks."""
    return _answer("for these weights only", a, b, _of_cases(a, b))


def _of_training(a: Trainings, b: Trainings, pool: Pool | None) -> list[Term] | None:
    """What s² adds to the variance of the difference of means."""
    if min(len(a), len(b)) > 1:
        return [Term(each.total_variance / len(each), len(each) - 1) for each in (a, b)]
    if pool is None:
        return None
    return [Term(pool.total_variance * (1 / len(a) + 1 / len(b)), pool.degrees)]


def _of_cases(a: Trainings, b: Trainings) -> list[Term]:
    """Σ g² over the cases of each class, g the difference of the mean influences of a case."""
    squares = (b.influences.mean(axis=0) - a.influences.mean(axis=0)) ** 2
    classes, sizes = np.unique(a.strata, return_counts=True)
    return [
        Term(float(squares[a.strata == each].sum()) * (size - 1) / size, int(size) - 1)
        for each, size in zip(classes, sizes, strict=True)
    ]


def _answer(question: Question, a: Trainings, b: Trainings, terms: Sequence[Term]) -> Answer:
    variance, degrees = combined(terms)
    return Answer(question, b.auc - a.auc, variance, degrees)


def combined(terms: Sequence[Term]) -> tuple[float, float]:
    """The sum of independent variances, and its degrees of freedom."""
    variance = sum(term.value for term in terms)
    counted = [term for term in terms if term.value > 0]
    spread = sum(term.value**2 / (term.degrees + 2) for term in counted)
    if not spread:  # nothing varies, or nothing of it is estimated
        return variance, math.inf
    degrees = variance**2 / spread - 2
    fewest, most = min(term.degrees for term in counted), sum(term.degrees for term in counted)
    return variance, min(max(degrees, fewest), most)


def mean_answer(answers: Sequence[Answer]) -> Answer:
    """The mean difference over independent data sets, to the one question that all answer."""
    (question,) = {each.question for each in answers}
    count = len(answers)
    variance, degrees = combined([Term(each.variance / count**2, each.degrees) for each in answers])
    return Answer(question, sum(each.difference for each in answers) / count, variance, degrees)
