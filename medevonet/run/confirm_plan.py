"""What a confirmation can show, before anything is trained: from the run's own variances on validation.

The test split is not opened for it: what comes from cases is scaled by the sizes of the two splits.
"""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from medevonet.statistics.artifacts import DatasetPredictions, load_predictions
from medevonet.statistics.comparison import Artifact, aligned
from medevonet.statistics.student import upper_quantile
from medevonet.statistics.variance import Pool, Term, Trainings, combined, for_these_weights, trainings_of
from openevolve.errors import UserError

TRAININGS = (3, 5, 8, 12, 20, 30, 50, 80)
_PAIRS = 20  # of programs, whose differences by cases are averaged


def plan_text(run: Path) -> str:
    """A table of detectable differences at 80% power and level .05, and what no number of trainings shows.

    Raises UserError where no program was evaluated in full.
    """
    programs: dict[str, list[Artifact]] = {}  # the trainings of each, by its id
    for path in [*sorted(run.glob("artifacts/*.npz")), *sorted(run.glob("confirmation/seed_*/*.npz"))]:
        programs.setdefault(path.stem, []).append(load_predictions(path))
    names = {name: None for artifacts in programs.values() for artifact in artifacts for name in artifact}
    of_datasets = {
        name: _variances(
            [
                found
                for artifacts in programs.values()
                if (found := [artifact[name] for artifact in artifacts if name in artifact])
            ]
        )
        for name in names
    }
    if not of_datasets:
        raise UserError(
            f"{run}: expected programs that were evaluated in full, found none; nothing can be planned"
        )
    known = {name: found for name, found in of_datasets.items() if found[0] is not None}
    notes = [
        f"{name}: no program was trained on it twice; how much training varies there is not known"
        for name in sorted(of_datasets.keys() - known.keys())
    ]
    count = len(of_datasets)
    images = sum(found[0] + found[1] for found in known.values() if found[0] is not None) / count**2
    floor = sum(found[2] for found in of_datasets.values()) / count**2
    rows = [["trainings of each program", "on these images", "for new patients"]]
    for trainings in TRAININGS:
        over = Term(2 * images / trainings, 2 * trainings - 2)
        shown = [f"{_detectable(*combined(parts)):.4f}" for parts in ([over], [over, Term(floor, math.inf)])]
        if notes:  # the luck of training is missing in both
            shown = ["unknown", f"at least {shown[1]}"]
        rows.append([str(trainings), *shown])
    rows.append(["any number", "0", f"{_detectable(floor, 1e6):.4f}"])
    return "\n".join(
        [
            "Difference in mean test AUC that is detected with 80% power at level .05:",
            aligned(rows),
            f"For new patients nothing below {_detectable(floor, 1e6):.4f} can be shown with these test",
            "images, whatever the number of trainings.",
            *notes,
        ]
    )


def _detectable(variance: float, degrees: float) -> float:
    return float(np.sqrt(variance)) * (upper_quantile(0.025, degrees) + upper_quantile(0.2, degrees))


def _variances(predictions: list[list[DatasetPredictions]]) -> tuple[float | None, float, float]:
    """σ²_T and σ²_TC of one training (None and 0 where no program was trained twice), and what cases add to
    the difference of two programs; the last two as of the test split's number of cases."""
    programs: list[Trainings] = [
        trainings_of(
            [model for each in of_program for model in each.val.trainings],
            of_program[0].val.labels,
            of_program[0].label_kind,
        )
        for of_program in predictions
    ]
    scale = len(predictions[0][0].val.labels) / len(predictions[0][0].test.labels)
    pool = Pool.of(programs)
    interaction = pool.interaction_variance if pool else 0.0
    # The interaction is in the difference of a pair, over its numbers of trainings; what is left stays.
    between = [
        for_these_weights(a, b).variance - interaction * (1 / len(a) + 1 / len(b))
        for a, b in pairwise(programs[: _PAIRS + 1])
    ]
    left = max(0.0, float(np.mean(between))) if between else 0.0
    return pool.training_variance if pool else None, interaction * scale, left * scale
