"""Signals of schedulers, closed terminals, broken pipes: the run ends in good order, or goes on."""

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from medevonet.run.folder import PROJECT
from openevolve.state.journal import read_journal
from tests.faults.problem import endings, final_state, journal_of, start_runner
from tests.support.processes import lies_in, processes_of, wait_until

RESUME = "resume: run the same command again"


def wait_for(folder: Path, event: str, count: int = 1) -> None:
    path = journal_of(folder)
    name = f'"event":"{event}"'.encode()
    assert wait_until(lambda: path.exists() and path.read_bytes().count(name) >= count)


def hold(folder: Path) -> Path:
    """Evaluations wait while this file is there."""
    folder.mkdir(exist_ok=True)
    file = folder / "hold"
    file.touch()
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_programs_are_evaluated(
    number: signal.Signals, tmp_path: Path, expected: dict[str, object]
) -> None:
    process = start_runner(tmp_path)
    wait_for(tmp_path, "measured", 3)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert output.splitlines()[-2:] == [f"ended by {number.name}", RESUME]
    assert "Traceback" not in output
    last = list(read_journal(journal_of(tmp_path)))[-1]
    assert (last["event"], last["reason"]) == ("run_finished", f"ended by {number.name}")
    assert wait_until(lambda: not processes_of(tmp_path), 10)
    assert start_runner(tmp_path).wait(60) == 0
    assert final_state(tmp_path) == expected


def test_a_signal_while_a_check_tries_out_the_machine(tmp_path: Path) -> None:
    """The demo's check starts a fork server and a candidate, and leaves neither them nor their files."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "run_evolution.py"), "--demo", "--check"],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert wait_until(lambda: lies_in(scratch, "images.npy"), 60)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 3
    assert errors == "error: ended by SIGTERM\n"
    assert list(scratch.iterdir()) == []
    assert wait_until(lambda: not processes_of(scratch), 10)


def test_a_signal_before_the_initial_program_has_a_score(tmp_path: Path, expected: dict[str, object]) -> None:
    held = hold(tmp_path)
    process = start_runner(tmp_path)
    wait_for(tmp_path, "measuring")
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert output.splitlines() == ["ended by SIGTERM", RESUME]
    held.unlink()
    assert start_runner(tmp_path).wait(60) == 0
    assert final_state(tmp_path) == expected


def test_a_signal_while_the_run_starts_up(tmp_path: Path) -> None:
    process = start_runner(tmp_path, "evaluator.preload=[tests.faults.slow_import]")
    assert wait_until(lambda: (tmp_path / "tmp/importing").exists())
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert output.splitlines() == [
        "error: ended by SIGTERM",
        RESUME,
    ]
    assert wait_until(lambda: not processes_of(tmp_path), 10)


def test_a_signal_to_every_process_of_a_job_fails_no_candidate(
    tmp_path: Path, expected: dict[str, object]
) -> None:
    held = hold(tmp_path)
    process = start_runner(tmp_path)
    assert wait_until((tmp_path / "pids").exists)
    evaluation, server = map(int, (tmp_path / "pids").read_text().split())
    for pid in (evaluation, server, process.pid):
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3, output
    assert endings(list(read_journal(journal_of(tmp_path)))) == []
    held.unlink()
    assert start_runner(tmp_path).wait(60) == 0
    assert final_state(tmp_path) == expected


def nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_nohup_is_heeded(tmp_path: Path, expected: dict[str, object]) -> None:
    process = start_runner(tmp_path, preexec_fn=nohup)
    wait_for(tmp_path, "measured", 2)
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.splitlines()[-1]) == (0, "completed")
    assert final_state(tmp_path) == expected


def on_a_terminal(folder: Path, *, ignore_hangup: bool) -> tuple[subprocess.Popen[str], int]:
    """A runner whose controlling terminal is the other end of the descriptor."""
    ours, theirs = pty.openpty()

    def login() -> None:
        if ignore_hangup:
            nohup()
        os.login_tty(theirs)

    process = start_runner(folder, preexec_fn=login, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    return process, ours


def watch(terminal: int, folder: Path) -> None:
    """Read what is shown, as a terminal does, until there are three scores; then close the terminal."""

    def three_scores() -> bool:
        with suppress(BlockingIOError):
            os.read(terminal, 1 << 16)
        path = journal_of(folder)
        return path.exists() and path.read_bytes().count(b'"event":"measured"') >= 3

    assert wait_until(three_scores)
    os.close(terminal)


def test_a_closed_terminal_ends_the_run_in_good_order(tmp_path: Path, expected: dict[str, object]) -> None:
    process, terminal = on_a_terminal(tmp_path, ignore_hangup=False)
    watch(terminal, tmp_path)
    assert process.wait(30) == 3
    assert list(read_journal(journal_of(tmp_path)))[-1]["reason"] == "ended by SIGHUP"
    assert wait_until(lambda: not processes_of(tmp_path), 10)
    assert start_runner(tmp_path).wait(60) == 0
    assert final_state(tmp_path) == expected


def test_a_run_that_was_detached_outlives_its_terminal(tmp_path: Path, expected: dict[str, object]) -> None:
    process, terminal = on_a_terminal(tmp_path, ignore_hangup=True)
    watch(terminal, tmp_path)
    assert process.wait(60) == 0
    assert final_state(tmp_path) == expected


def test_nobody_reads_the_output_any_more(tmp_path: Path, expected: dict[str, object]) -> None:
    process = start_runner(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert final_state(tmp_path) == expected
    [log] = (tmp_path / "out/logs").iterdir()
    assert "the run goes on without it" in log.read_text()


def test_the_disk_of_the_output_is_full(tmp_path: Path, expected: dict[str, object]) -> None:
    with open("/dev/full", "w") as full:
        assert start_runner(tmp_path, stdout=full, stderr=full).wait(60) == 0
    assert final_state(tmp_path) == expected
