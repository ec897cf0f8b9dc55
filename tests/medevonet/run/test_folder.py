"""Run directories: fresh, found again, and never half-written."""

import os
import threading
from pathlib import Path

import pytest

from medevonet.run.folder import check_writable, create_at, create_run, find_run, new_folder, point_latest
from medevonet.run.info import write_run_info
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
    with pytest.raises(UserError, match="latest: expected a run directory"):
        find_run("latest", tmp_path)


def test_a_folder_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder that can be written"):
        create_run(tmp_path / "file")
    with pytest.raises(UserError, match="expected a folder that can be written"):
        check_writable(tmp_path / "file" / "runs")
    check_writable(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()  # only asked for


def test_a_run_may_have_a_name_or_a_folder_of_its_own(tmp_path: Path) -> None:
    named = new_folder("wide-nets.2", None, tmp_path)
    assert named == tmp_path / "wide-nets.2"
    write_run_info(create_at(named, tmp_path), {}, {})
    assert find_run("wide-nets.2", tmp_path) == find_run("latest", tmp_path) == named.resolve()
    own = new_folder(None, tmp_path / "elsewhere" / "run", tmp_path)
    assert own is not None
    assert (create_at(own, tmp_path) / "artifacts").is_dir()
    assert find_run("latest", tmp_path) == named.resolve()  # those elsewhere are not among the others
    assert new_folder(None, None, tmp_path) is None


@pytest.mark.parametrize("name", ["", "latest", "../up", "a/b", "-x", "a b"])
def test_a_name_is_a_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--name: expected letters, digits"):
        new_folder(name, None, tmp_path)


def test_a_new_run_takes_no_folder_that_holds_something(tmp_path: Path) -> None:
    write_run_info(create_at(tmp_path / "run", tmp_path), {}, {})
    with pytest.raises(UserError, match=r"expected a new run, found one; to go on with it: --resume .*run"):
        new_folder("run", None, tmp_path)
    with pytest.raises(UserError, match="expected no folder or an empty one"):
        new_folder(None, tmp_path, tmp_path)
    (tmp_path / "empty").mkdir()
    assert new_folder("empty", None, tmp_path) == tmp_path / "empty"
