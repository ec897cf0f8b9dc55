"""What ``run_info.json`` keeps of each session."""

from pathlib import Path

import pytest

from medevonet.run.folder import create_run
from medevonet.run.info import add_session, read_run_info, write_run_info
from openevolve.errors import UserError


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
