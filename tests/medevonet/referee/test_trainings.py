"""A process for every training: several of one data set, and nothing carried from one to the next."""

import json
from typing import Any

import numpy as np
import pytest

from medevonet.statistics.artifacts import load_predictions
from medevonet.statistics.auc import mean_of_trainings
from medevonet.statistics.comparison import compare, report
from openevolve.errors import UserError
from tests.support import programs
from tests.support.tiny_task import KINDS, TinyTask

# Weights outlive the call, and so does what is attached to another module.
SHARED_NETWORK = programs.SOUND.replace(
    "def create_model(num_classes=7):\n    return Network(num_classes)",
    "NETWORK = Network(7)\n\n\ndef create_model(num_classes=7):\n    return NETWORK",
)
SHARED_LAYER = programs.SOUND.replace(
    "def create_model(num_classes=7):\n    return Network(num_classes)",
    "STEM = nn.Conv2d(3, 8, 3, stride=2, padding=1)\n\n\ndef create_model(num_classes=7):\n"
    "    network = Network(num_classes)\n    network.conv = STEM\n    return network",
)
CARRIES_WEIGHTS = programs.sound(
    before="import torch.nn.functional as stash",
    init="if hasattr(stash, 'weights'):\n    self.conv.load_state_dict(stash.weights)",
    forward="stash.weights = {key: value.clone() for key, value in self.conv.state_dict().items()}",
)
ANOTHER_AT_EVERY_IMPORT = programs.sound(
    before="import os\nwidth = 1 + int.from_bytes(os.urandom(2), 'little')",
    init="self.extra = nn.Linear(width, 1)",
)

HARD: dict[str, Any] = {"epochs": 1, "max_lr": 0.004}  # so that no AUC is 1


def test_trainings_of_a_dataset_differ_in_their_seeds_and_are_averaged(tiny: TinyTask) -> None:
    evaluation = tiny.evaluate(programs.SOUND, **HARD, seeds={"two": 3})
    two = evaluation.runs[0]
    assert [len(run.trainings) for run in evaluation.runs] == [3, 1, 1]
    aucs = [training.best.val_auc for training in two.trainings]
    assert len(set(aucs)) == 3
    alone = tiny.evaluate(programs.SOUND, **HARD).result().metrics
    assert aucs[0] == alone["two_val_auc"]  # the first is the one that there always is
    metrics = evaluation.result().metrics
    assert metrics["two_val_auc"] == pytest.approx(np.mean(aucs), abs=1e-15)
    assert metrics["four_val_auc"] == alone["four_val_auc"]
    assert metrics["mean_val_auc"] == pytest.approx(
        np.mean([metrics[f"{name}_val_auc"] for name in KINDS]), abs=1e-15
    )
    assert metrics["mean_val_auc_se"] == evaluation.statistics["mean"]["val"]["standard_error"] > 0


def test_a_program_that_needs_too_much_work_is_not_trained(tiny: TinyTask) -> None:
    """The limit is in work, so that a busy machine finds what a quiet one finds."""
    needed = tiny.sound.network.multiply_adds
    failure = tiny.failure(programs.SOUND, max_multiply_adds=needed - 1)
    assert failure.kind == "timeout"
    words = f"at most {needed - 1:,} multiply-adds of one image (task.max_multiply_adds), found {needed:,}"
    assert words in str(failure)
    allowed = tiny.evaluate(programs.SOUND, max_multiply_adds=needed).result().metrics
    assert allowed == tiny.sound.result().metrics


def test_artifacts_keep_every_training_and_can_be_compared(tiny: TinyTask) -> None:
    evaluation = tiny.evaluate(programs.SOUND, **HARD, seeds={"two": 3})
    single = tiny.evaluate(programs.SOUND, **HARD)
    record = json.loads(evaluation.artifact.read_text())
    assert len({training["seed"] for training in record["datasets"]["two"]["trainings"]}) == 3
    of_three = load_predictions(evaluation.artifact.with_suffix(".npz"))
    of_one = load_predictions(single.artifact.with_suffix(".npz"))
    assert len(of_three["two"].test.trainings) == 3
    np.testing.assert_array_equal(of_three["two"].test.probabilities, of_one["two"].test.probabilities)
    found = report(compare([of_one], [of_three], "val"))["datasets"]
    assert found["two"]["aucs"][1] == record["datasets"]["two"]["val"]["auc"]
    assert found["two"]["trainings"] == [1, 3]
    assert found["four"]["difference"] == 0
    assert found["two"]["answers"]["for these weights only"]["standard_error"] > 0


def test_seeds_of_a_dataset_that_does_not_exist_are_refused(tiny: TinyTask) -> None:
    with pytest.raises(ValueError, match=r"expected seeds of data sets .* found .'breastminst'"):
        tiny.config(seeds={"breastminst": 3})
    with pytest.raises((ValueError, UserError), match="greater than or equal to 1"):
        tiny.config(seeds={"two": 0})


@pytest.mark.parametrize("code", [SHARED_NETWORK, SHARED_LAYER], ids=["network", "layer"])
def test_weights_that_two_networks_share_are_forbidden(tiny: TinyTask, code: str) -> None:
    failure = tiny.failure(code)
    assert failure.kind == "forbidden"
    assert "expected create_model() to make a fresh network at every call" in str(failure)


def test_nothing_is_carried_from_one_dataset_to_the_next(tiny: TinyTask) -> None:
    """Each training's result is the one it has alone, though the program keeps weights where it can."""
    together = tiny.evaluate(CARRIES_WEIGHTS).result().metrics
    for dataset in tiny.datasets:
        alone = tiny.evaluate(CARRIES_WEIGHTS, datasets=[dataset.model_dump()]).result().metrics
        assert together[f"{dataset.name}_val_auc"] == alone["mean_val_auc"]


def test_a_program_that_is_another_at_every_import_is_forbidden(tiny: TinyTask) -> None:
    failure = tiny.failure(ANOTHER_AT_EVERY_IMPORT, datasets=[d.model_dump() for d in tiny.datasets])
    assert failure.kind == "forbidden"
    assert "expected the same network at every import" in str(failure)


# ---------------------------------------------------------------- statistics


def test_replicates_of_a_mean_over_trainings_vary_as_such_a_mean_does() -> None:
    rng = np.random.default_rng(0)
    for trainings in (2, 3, 5):
        aucs = rng.normal(0.9, 0.02, trainings)
        replicates = mean_of_trainings(np.repeat(aucs[:, None], 200_000, axis=1), aucs.tolist(), rng)
        assert replicates.mean() == pytest.approx(aucs.mean(), abs=1e-3)
        assert replicates.var() == pytest.approx(aucs.var(ddof=1) / trainings, rel=0.02)


def test_one_training_says_nothing_of_others_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    values = np.array([[0.8, 0.9]])
    assert mean_of_trainings(values, [0.85], rng).tolist() == [0.8, 0.9]
    assert rng.integers(1000) == np.random.default_rng(0).integers(1000)
