"""What evaluations are told of their run."""

import json
from pathlib import Path

import pytest

from medevonet.data.dataset import DatasetConfig
from medevonet.run.environment import (
    ARTIFACTS_VARIABLE,
    TASK_VARIABLE,
    artifacts_folder,
    evaluation_environment,
    private_paths,
    task_from_environment,
)
from medevonet.task import TaskConfig, settled


def test_evaluations_are_told_the_task_and_where_artifacts_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TaskConfig(size=28, epochs=2, data_root=tmp_path)
    for name, value in evaluation_environment(task, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert task_from_environment() == task
    assert artifacts_folder() == tmp_path / "artifacts"
    monkeypatch.delenv(TASK_VARIABLE)
    monkeypatch.delenv(ARTIFACTS_VARIABLE)
    assert task_from_environment() == TaskConfig()
    assert json.loads(TaskConfig().model_dump_json())["size"] == 224


def test_paths_of_the_users_own_files_do_not_depend_on_the_folder_of_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDMNIST_ROOT", "data")
    own = {"name": "mine", "path": "data/mine.npz", "label_kind": "binary"}
    task = settled(TaskConfig.model_validate({"datasets": [own, "breastmnist"]}), threads=3)
    assert isinstance(task.datasets[0], DatasetConfig)
    assert task.datasets[0].path == tmp_path / "data/mine.npz"
    assert (task.datasets[1], task.threads, task.data_root) == ("breastmnist", 3, None)
    assert evaluation_environment(task, tmp_path)["MEDMNIST_ROOT"] == str(tmp_path / "data")
    assert {tmp_path / "data", tmp_path / "data/mine.npz"} <= set(private_paths(task))
