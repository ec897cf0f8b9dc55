"""Student's t, central and not, for any positive number of degrees of freedom; p-values of several tests."""

from collections.abc import Sequence

from scipy import special


def upper_tail(t: float, degrees: float) -> float:
    """P(T > t)."""
    return float(special.stdtr(degrees, -t))


def upper_quantile(tail: float, degrees: float) -> float:
    """The t that is exceeded with probability ``tail``."""
    return -float(special.stdtrit(degrees, tail))


def two_sided_p_value(difference: float, standard_error: float, degrees: float) -> float:
    """Of no difference. A standard error of 0 gives the limit: 1 for no difference, else 0."""
    if standard_error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * upper_tail(abs(difference) / standard_error, degrees)


def power(effect: float, standard_error: float, degrees: float, level: float = 0.05) -> float:
    """Probability that a two-sided test of that level rejects where the true difference is ``effect``."""
    if standard_error == 0:
        return 1.0
    critical, shift = upper_quantile(level / 2, degrees), abs(effect) / standard_error
    beyond = 1 - special.nctdtr(degrees, shift, critical)  # T is noncentral t
    return float(beyond + special.nctdtr(degrees, shift, -critical))


def equivalence_p_value(difference: float, standard_error: float, degrees: float, margin: float) -> float:
    """Of |true difference| ≥ ``margin``, by two one-sided tests (Schuirmann 1987, Journal of
    Pharmacokinetics and Biopharmaceutics 15:657-680): the larger of their p-values."""
    if standard_error == 0:
        return 0.0 if abs(difference) < margin else 1.0
    return upper_tail((margin - abs(difference)) / standard_error, degrees)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm's step-down method, in the order given.

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
