"""Run directories: fresh, found again, and never half-written."""

import json
import os
import threading
from pathlib import Path

import pytest

from medevonet.data.dataset import DatasetConfig
from medevonet.run.folder import (
    ARTIFACTS_VARIABLE,
    TASK_VARIABLE,
    add_session,
    artifacts_folder,
    create_run,
    evaluation_environment,
    find_run,
    load_settings,
    point_latest,
    private_paths,
    read_run_info,
    task_from_environment,
    write_run_info,
)
from medevonet.task import TaskConfig, settled
from openevolve.errors import UserError


def test_a_run_gets_a_folder_of_its_own_and_latest_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    runs = [create_run(tmp_path) for _ in range(3)]
    assert len(set(runs)) == 3
    assert all((run / "artifacts").is_dir() and "_77" in run.name for run in runs)
    assert (tmp_path / "latest").resolve() == runs[-1].resolve()
    assert os.readlink(tmp_path / "latest") == runs[-1].name  # relative: the folder can be moved


def test_latest_is_never_missing_while_it_changes(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    missing: list[bool] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            missing.append(not (tmp_path / "latest").exists())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(300):
        point_latest(run)
    done.set()
    reader.join()
    assert missing
    assert not any(missing)


def test_runs_are_found_by_path_by_name_and_as_latest(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    write_run_info(run, {"max_iterations": 3}, {"provider": "offline"})
    for name in (str(run), run.name, "latest"):
        assert find_run(name, tmp_path) == run.resolve()


def test_no_such_run_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run in"):
        find_run("latest", tmp_path)
    run = create_run(tmp_path)
    write_run_info(run, {}, {})
    with pytest.raises(UserError, match=f"the runs in .* are .*{run.name}"):
        find_run("2020", tmp_path)


def test_a_dangling_latest_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("gone")
    with pytest.raises(UserError, match="--resume latest: expected a run directory"):
        find_run("latest", tmp_path)


def test_run_info_says_what_ran_where(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    write_run_info(run, {"max_iterations": 3}, {"provider": "offline", "isolation": "process"})
    info = read_run_info(run)
    assert info["config"] == {"max_iterations": 3}
    assert info["provider"] == "offline"
    assert {"git_sha", "host", "started", "python", "packages", "cpus"} <= set(info)


def test_run_info_keeps_how_it_began_and_tells_each_session(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    write_run_info(run, {"max_iterations": 3}, {"device": "cpu"})
    first = read_run_info(run)
    for iterations, device in ((5, "a card"), (9, "another")):
        add_session(run, {"max_iterations": iterations}, {"device": device})
    info = read_run_info(run)
    assert info["config"] == {"max_iterations": 9}  # in force, also for the next session
    assert {key: info[key] for key in first if key != "config"} == {
        key: first[key] for key in first if key != "config"
    }
    assert [session["device"] for session in info["resumed"]] == ["a card", "another"]
    assert set(info["resumed"][0]) == set(first) - {"config"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"config": 3}'])
def test_a_damaged_run_info_is_a_users_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "run_info.json").write_text(text)
    with pytest.raises(UserError, match=r"run_info\.json: expected the settings of a run"):
        read_run_info(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder that can be written"):
        create_run(tmp_path / "file")


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


def test_settings_of_a_run_with_a_single_rung_are_still_read(tmp_path: Path) -> None:
    """``task.rung_share`` was a number before there were several rungs."""
    settings = {"task": {"size": 28, "rung_share": 0.15}, "fidelity": "full"}
    (tmp_path / "run_info.json").write_text(json.dumps({"config": settings}), encoding="utf-8")
    config = load_settings(tmp_path / "run_info.json", ["task.epochs=3"])
    assert TaskConfig.model_validate(config.task) == TaskConfig(size=28, rung_shares=[0.15], epochs=3)
