"""The verdict of a search in words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medevonet.run.verdict import verdict
from medevonet.statistics.artifacts import DatasetPredictions, SplitPredictions, write_artifact
from openevolve.records.program import Elite, Program

COUNT = 400
LABELS = (np.arange(COUNT) % 2).astype(np.uint8)[:, None]


def predictions(separation: float, seed: int) -> DatasetPredictions:
    """Probabilities of a network that tells two classes apart by so many standard deviations."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1, COUNT) + separation * LABELS[:, 0]
    positive = 1 / (1 + np.exp(-logit))
    split = SplitPredictions(np.stack([1 - positive, positive], axis=1).astype(np.float32), LABELS)
    return DatasetPredictions("binary", split, split)


def repeated(separation: float, seed: int) -> DatasetPredictions:
    """Of a network that was trained three times."""
    first, *others = (predictions(separation, 100 * seed + training).val for training in range(3))
    split = replace(first, repeats=tuple(other.probabilities for other in others))
    return DatasetPredictions("binary", split, split)


def program(
    folder: Path, iteration: int, auc: float, params: int, separation: float, several: bool = False
) -> Elite:
    name = f"p{iteration}"
    found = {"breastmnist": predictions(separation, iteration)}
    if several:
        found["pneumoniamnist"] = repeated(separation, iteration)
    write_artifact(folder, name, {}, found)
    metrics = {"mean_val_auc": auc, "mean_val_auc_se": 0.02, "param_count": float(params)}
    return Elite(Program(name, "x = 1\n", iteration, island=0), metrics)


def test_the_seed_itself(tmp_path: Path) -> None:
    seed = program(tmp_path, 0, 0.7, 1000, 0.7)
    assert verdict(tmp_path, seed, seed, [seed]) == [
        "no program is better than the seed on the validation images"
    ]


def test_a_gain_that_may_be_chance(tmp_path: Path) -> None:
    seed, best = program(tmp_path, 0, 0.70, 1000, 0.700), program(tmp_path, 3, 0.701, 1000, 0.701)
    [line] = verdict(tmp_path, seed, best, [seed, best])
    assert line.startswith("no gain beyond chance: iteration 3 scored ")
    assert "95% interval -" in line


def test_a_gain_beyond_chance_is_still_to_be_confirmed(tmp_path: Path) -> None:
    seed, best = program(tmp_path, 0, 0.70, 1000, 0.7), program(tmp_path, 3, 0.95, 1000, 2.5)
    [line] = verdict(tmp_path, seed, best, [seed, best])
    assert line.startswith("iteration 3 is better than the seed for these weights only: +0.")
    assert line.endswith("run_evolution.py confirm tells")


def test_data_sets_of_which_one_was_trained_several_times(tmp_path: Path) -> None:
    seed = program(tmp_path, 0, 0.70, 1000, 0.7, several=True)
    best = program(tmp_path, 3, 0.95, 1000, 2.5, several=True)
    [line] = verdict(tmp_path, seed, best, [seed, best])
    assert line.startswith("iteration 3 is better than the seed for these weights only: +0.")


def test_a_network_as_good_with_fewer_parameters_is_named(tmp_path: Path) -> None:
    seed, best = program(tmp_path, 0, 0.70, 1300, 0.7), program(tmp_path, 5, 0.95, 1300, 2.5)
    small = program(tmp_path, 3, 0.94, 100, 2.4)
    worse = program(tmp_path, 4, 0.92, 10, 2.0)  # not within an error of 0.02
    lines = verdict(tmp_path, seed, best, [seed, best, small, worse])
    assert lines[1] == (
        "iteration 3 is as good within one standard error (0.9400 against 0.9500 ± 0.0200) "
        "with 1/13 of the parameters"
    )


@pytest.mark.parametrize("gone", ["p0", "p3"])
def test_without_artifacts_no_error_is_made_up(gone: str, tmp_path: Path) -> None:
    seed, best = program(tmp_path, 0, 0.70, 1000, 0.7), program(tmp_path, 3, 0.95, 1000, 2.5)
    (tmp_path / f"{gone}.npz").unlink()
    [line] = verdict(tmp_path, seed, best, [seed, best])
    assert line == "iteration 3 scored +0.2500 against the seed; without its artifacts no error is known"
