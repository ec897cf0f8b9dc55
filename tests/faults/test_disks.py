"""Full and read-only disks: one clear error, nothing lost, no candidate blamed, and a resume that goes on."""

import asyncio
import functools
import resource
from pathlib import Path
from typing import Any

import pytest

from medevonet.run.info import write_run_info
from openevolve.errors import RunInterrupted, UserError
from openevolve.testing.evaluations import program
from tests.faults.disks import change, disk, fill
from tests.faults.problem import complete_lines, final_state, start_runner
from tests.support.evaluations import executor_for
from tests.support.processes import wait_until
from tests.support.programs import SOUND
from tests.support.tiny_task import TinyTask

RESUME = "resume: run the same command again"


def session(folder: Path, **options: Any) -> tuple[int, str]:
    """Run until the end; the exit status and the output."""
    process = start_runner(folder, **options)
    output, _ = process.communicate(timeout=120)
    assert "Traceback" not in output
    return process.returncode, output


def assert_interrupted(code: int, output: str) -> None:
    error, resume = output.splitlines()[-2:]
    assert code == 3
    assert error.startswith("error: ")
    assert ": expected " in error
    assert resume == RESUME


def test_a_disk_that_is_full_again_and_again(tmp_path: Path, expected: dict[str, object]) -> None:
    """The steps let journal, log, best program and checkpoints run out of room, each at another write."""
    full, kept = 0, b""
    with disk(tmp_path / "out", "size=4k"):
        for kilobytes in (8, 16, 40, 72, 96):
            change(tmp_path / "out", f"size={kilobytes}k")
            code, output = session(tmp_path)
            if code != 0:
                assert_interrupted(code, output)
                full += 1
            assert complete_lines(tmp_path).startswith(kept)
            kept = complete_lines(tmp_path)
        change(tmp_path / "out", "size=64m")
        assert session(tmp_path)[0] == 0
        assert final_state(tmp_path) == expected
    assert full >= 4


def test_files_that_may_not_grow(tmp_path: Path, expected: dict[str, object]) -> None:
    """What needs no mount: a limit on the size of files, which ends a write as a full disk does."""
    for kilobytes in (1, 5, 12):
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (kilobytes * 1024,) * 2)
        code, output = session(tmp_path, preexec_fn=limit)
        assert_interrupted(code, output)
    assert session(tmp_path)[0] == 0
    assert final_state(tmp_path) == expected


def test_no_room_for_a_candidates_files(tmp_path: Path, expected: dict[str, object]) -> None:
    (tmp_path / "hold").touch()
    with disk(tmp_path / "tmp", "size=64k"):
        process = start_runner(tmp_path)
        assert wait_until((tmp_path / "pids").exists)
        fill(tmp_path / "tmp")
        (tmp_path / "hold").unlink()
        output, _ = process.communicate(timeout=60)
        assert_interrupted(process.returncode, output)
        assert "set TMPDIR to another folder" in output
        (tmp_path / "tmp/filler").unlink()
        change(tmp_path / "tmp", "size=64m")
        assert session(tmp_path)[0] == 0
    assert final_state(tmp_path) == expected


def test_no_room_for_artifacts_is_not_the_programs_fault(tiny: TinyTask, tmp_path: Path) -> None:
    from medevonet.run.train_command import evaluate_program

    with disk(tmp_path / "artifacts", "size=16k") as artifacts:
        fill(artifacts)
        with pytest.raises(UserError, match="found: No space left on device"):
            evaluate_program(
                tiny.write(SOUND), tiny.config(datasets=tiny.one), artifacts, launcher=tiny.launcher
            )
        assert [path.name for path in artifacts.iterdir()] == ["filler"]


def test_what_the_evaluator_cannot_help_ends_the_run(tmp_path: Path) -> None:
    body = "from openevolve.errors import UserError\nraise UserError('the data set is gone')"
    with executor_for(tmp_path) as executor, pytest.raises(RunInterrupted, match="the data set is gone"):
        asyncio.run(executor.evaluate(program(body)))


def test_no_room_for_run_info(tmp_path: Path) -> None:
    with disk(tmp_path / "run", "size=4k") as run:
        fill(run)
        with pytest.raises(UserError, match=r"expected room for run_info\.json, found: No space left"):
            write_run_info(run, {}, {})


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    with disk(tmp_path / "out", "size=1m"):
        change(tmp_path / "out", "ro")
        code, output = session(tmp_path)
        assert code == 2
        assert "expected a run directory that can be written, found: Read-only file system" in output
        assert list((tmp_path / "out").iterdir()) == []
