"""Run directories that are damaged, shared, copied, or lose a part: refused with the reason, or mended."""

import shutil
from pathlib import Path

import pytest

from medevonet.run.folder import create_run
from openevolve.errors import UserError
from openevolve.state.journal import encode
from openevolve.state.replay import replay
from tests.faults.problem import complete_lines, final_state, journal_of, start_runner
from tests.support.processes import wait_until


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a run that is complete."""
    assert start_runner(tmp_path / "run").wait(60) == 0
    return tmp_path / "run"


def files_in(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"
    }


@pytest.mark.parametrize("torn", [b"", b'{"event":"propo'], ids=["whole end", "torn end"])
def test_a_damaged_line_is_named_and_nothing_is_changed(finished: Path, torn: bytes) -> None:
    lines = journal_of(finished).read_bytes().splitlines(keepends=True)
    lines[6] = lines[6].replace(b"elapsed", b"elapsde", 1)
    journal_of(finished).write_bytes(b"".join(lines) + torn)
    before = files_in(finished / "out")
    process = start_runner(finished, "max_iterations=30")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.count("\n") == 1
    assert "journal.jsonl, line 7: expected an event whose checksum holds, found a damaged line" in output
    assert files_in(finished / "out") == before


def test_an_event_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    events = [
        {"event": "migrated", "elapsed": 0.0, "moves": []},
        {"event": "measured", "elapsed": 1.0, "score": 3},
    ]
    path.write_bytes(b"".join(map(encode, events)))
    with pytest.raises(UserError, match="line 2: expected an event of this version"):
        replay(path)


def test_a_second_runner_is_refused_and_harms_nothing(tmp_path: Path, expected: dict[str, object]) -> None:
    (tmp_path / "hold").touch()
    first = start_runner(tmp_path)
    assert wait_until((tmp_path / "pids").exists)
    before = complete_lines(tmp_path)
    second = start_runner(tmp_path)
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"expected no other runner on this run directory, found process {first.pid}" in output
    assert complete_lines(tmp_path) == before
    (tmp_path / "hold").unlink()
    assert first.wait(60) == 0
    assert final_state(tmp_path) == expected


def test_original_and_copy_of_a_killed_run_both_go_on(tmp_path: Path, expected: dict[str, object]) -> None:
    process = start_runner(tmp_path / "original")
    assert wait_until(lambda: complete_lines(tmp_path / "original").count(b"\n") > 25)
    process.kill()
    process.wait()
    shutil.copytree(tmp_path / "original", tmp_path / "far/away", ignore=shutil.ignore_patterns("tmp"))
    for folder in (tmp_path / "original", tmp_path / "far/away"):
        assert start_runner(folder).wait(60) == 0
        assert final_state(folder) == expected


def test_exports_deleted_while_it_runs_come_back(tmp_path: Path, expected: dict[str, object]) -> None:
    process = start_runner(tmp_path)
    assert wait_until((tmp_path / "out/checkpoints/checkpoint_5").exists)
    shutil.rmtree(tmp_path / "out/checkpoints", ignore_errors=True)
    shutil.rmtree(tmp_path / "out/best", ignore_errors=True)
    assert process.wait(60) in (0, 3)  # 3: deleted between two steps of one export
    assert start_runner(tmp_path).wait(60) == 0
    assert final_state(tmp_path) == expected


def test_latest_that_points_nowhere_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("gone")
    run = create_run(tmp_path)
    assert (tmp_path / "latest").resolve() == run.resolve()
