"""How well one score of programs ranks them by another, with what chance makes of that."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import kendalltau, spearmanr

TOP_SHARE = 0.2
_RESAMPLES = 2000

_Figure = Callable[[Sequence[float], Sequence[float]], float]


def agreement_table(pairs: Iterable[tuple[str, Sequence[float], Sequence[float]]]) -> list[str]:
    """A line of figures for each named pair of a predictor and a score, one of either for each program."""
    head = (
        f"{'agreement (95% bootstrap interval over programs)':48}  {'Kendall tau':21}  {'Spearman rho':21}  "
        f"recall of the top {TOP_SHARE:.0%}"
    )
    return [head, *(_line(*pair) for pair in pairs)]


def recall(predictor: Sequence[float], score: Sequence[float]) -> float:
    """Of the top fifth by score, the share that is in the top fifth by the predictor."""
    count = max(1, round(TOP_SHARE * len(score)))
    top = set(np.argsort(score, kind="stable")[-count:].tolist())
    return len(top & set(np.argsort(predictor, kind="stable")[-count:].tolist())) / count


def _line(name: str, predictor: Sequence[float], score: Sequence[float]) -> str:
    figures: list[_Figure] = [
        lambda a, b: float(kendalltau(a, b).statistic),
        lambda a, b: float(spearmanr(a, b).statistic),
        recall,
    ]
    cells = [_with_interval(figure, predictor, score) for figure in figures]
    return f"{name:48}  " + "  ".join(f"{cell:21}" for cell in cells)


def _with_interval(figure: _Figure, a: Sequence[float], b: Sequence[float]) -> str:
    rng = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(a), size=len(a))
        values.append(figure(np.take(a, drawn).tolist(), np.take(b, drawn).tolist()))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"{figure(a, b):.2f} ({low:.2f} to {high:.2f})"
