"""What a search found, in words: is the best better than the seed, and is a smaller network as good?

It rests on the validation images that the search has looked at, so that it can only dampen: whether a gain
is real is for ``run_evolution.py confirm`` to say.
"""

from pathlib import Path

from medevonet.statistics.artifacts import load_predictions
from medevonet.statistics.comparison import compare, report
from openevolve.errors import UserError
from openevolve.records.program import Elite

_SMALLER = 2.0  # so many times fewer parameters are worth a line


def verdict(artifacts: Path, initial: Elite, best: Elite, others: list[Elite]) -> list[str]:
    """Sentences; ``others`` are all programs that have a score."""
    return [_against_the_seed(artifacts, initial, best), *_smaller(best, others)]


def _against_the_seed(artifacts: Path, initial: Elite, best: Elite) -> str:
    if best.id == initial.id:
        return "no program is better than the seed on the validation images"
    where = f"iteration {best.program.iteration}"
    try:
        seed, found = (load_predictions(artifacts / f"{elite.id}.npz") for elite in (initial, best))
        mean = report(compare([seed], [found], "val"))["mean"]
    except (UserError, ValueError):  # a file was deleted since
        gain = best.metrics["mean_val_auc"] - initial.metrics["mean_val_auc"]
        return f"{where} scored {gain:+.4f} against the seed; without its artifacts no error is known"
    question, answer = next(iter(mean["answers"].items()))
    low, high = answer["ci95"]
    told = f"{mean['difference']:+.4f} in mean validation AUC, 95% interval {low:+.4f} to {high:+.4f}"
    if low <= 0:  # of single trainings: what another training adds would only widen it
        return f"no gain beyond chance: {where} scored {told} against the seed"
    return (
        f"{where} is better than the seed {question}: {told}. The best of many looks better than it is: "
        "run_evolution.py confirm tells"
    )


def _smaller(best: Elite, others: list[Elite]) -> list[str]:
    """The smallest network that is as good within the error of the best."""
    error = best.metrics.get("mean_val_auc_se", 0.0)
    least, size = best.metrics["mean_val_auc"] - error, best.metrics["param_count"]
    as_good = [elite for elite in others if elite.metrics.get("mean_val_auc", 0.0) >= least]
    smallest = min(as_good, key=lambda elite: elite.metrics["param_count"], default=best)
    times = size / smallest.metrics["param_count"]
    if times < _SMALLER:
        return []
    return [
        f"iteration {smallest.program.iteration} is as good within one standard error "
        f"({smallest.metrics['mean_val_auc']:.4f} against {best.metrics['mean_val_auc']:.4f} ± {error:.4f}) "
        f"with 1/{times:.0f} of the parameters"
    ]
