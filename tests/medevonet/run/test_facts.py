"""The recipe in figures, as prompts tell it."""

from pathlib import Path

import numpy as np

from medevonet.run.facts import recipe, with_facts
from medevonet.task import DatasetConfig, TaskConfig
from openevolve.settings.files import load_config
from tests import PROJECT


def test_figures_are_the_tasks_own() -> None:
    found = recipe(TaskConfig(size=28, epochs=5, batch_size=32, datasets=["breastmnist", "octmnist"]))
    assert "28 x 28 pixels" in found[0]
    assert "batches of 32" in found[0]
    steps, trainings = found[1].rsplit(", ", 1)
    assert steps == "breastmnist: 546 training and 78 validation images, 90 steps"
    assert trainings == "3 trainings with seeds of their own."
    assert found[2] == "octmnist: 97,477 training and 10,832 validation images, 15,235 steps."


def test_a_last_batch_of_one_image_is_no_step() -> None:
    [line] = [line for line in recipe(TaskConfig(batch_size=109)) if line.startswith("breastmnist: ")]
    assert "546 training" in line
    assert "50 steps" in line  # five batches of 109, and one image


def test_a_data_set_of_the_users_own_is_named(tmp_path: Path) -> None:
    own = DatasetConfig(name="mine", path=tmp_path / "mine.npz", label_kind="multi-class")
    assert "mine: a data set of the user's own." in recipe(TaskConfig(datasets=[own], seeds={}))


def test_images_of_a_file_of_the_users_own_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, train_labels=np.zeros((70, 1)), val_labels=np.zeros((9, 1)))
    own = DatasetConfig(name="mine", path=path, label_kind="binary")
    task = TaskConfig(datasets=[own], seeds={}, epochs=3, batch_size=64)
    assert "mine: 70 training and 9 validation images, 6 steps." in recipe(task)


def test_facts_of_the_users_own_stay() -> None:
    config = load_config(PROJECT / "config.yaml", ["prompt.facts=[Mine.]"])
    assert with_facts(config, TaskConfig()).prompt.facts == ["Mine."]
    assert with_facts(load_config(PROJECT / "config.yaml"), TaskConfig()).prompt.facts == recipe(TaskConfig())
