"""Whole runs that are killed, interrupted and ended by signals: real processes, real journals."""

import signal
import time
from pathlib import Path

import pytest

from openevolve.engine.run import Result
from openevolve.state.journal import read_journal
from tests.support.processes import processes_of
from tests.support.scripted import archive, run_walk, settings, story
from tests.support.walks import start, start_hanging, start_slow, wait_for_events, wait_for_lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run that nothing disturbed, and its folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run_walk(folder, settings())


def test_kill_9_at_any_moment_loses_nothing_and_leaves_nobody(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    journal = tmp_path / "out/journal.jsonl"
    for lines in (1, 4, 12, 25, 40, 60):
        process = start(tmp_path)
        wait_for_lines(journal, lines)
        process.kill()
        process.wait()
        finished = {e["iteration"] for e in read_journal(journal) if e["event"] == "measured"}
        deadline = time.monotonic() + 10
        while processes_of(tmp_path):
            assert time.monotonic() < deadline, processes_of(tmp_path)
            time.sleep(0.01)
    resumed = run_walk(tmp_path, settings())
    assert finished <= set(resumed.state.outcomes)
    results = [e["iteration"] for e in read_journal(journal) if e["event"] == "measured"]
    assert len(results) == len(set(results)) == 31
    assert story(resumed) == story(undisturbed[1])
    assert archive(resumed) == archive(undisturbed[1])


def test_ctrl_c_finishes_what_is_running_and_resumes(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 12)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "interrupted"
    assert "interrupted: finishing the evaluations that are running; Ctrl-C again ends them" in output
    events = list(read_journal(tmp_path / "out/journal.jsonl"))
    started = [e["iteration"] for e in events if e["event"] == "measuring"]
    ended = [e["iteration"] for e in events if e["event"] == "measured"]
    assert set(started) <= set(ended)
    assert len(ended) < 31
    assert story(run_walk(tmp_path, settings())) == story(undisturbed[1])


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    process = start_slow(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None  # it waits for the evaluation that is running
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "interrupted"


def test_ctrl_c_also_ends_a_run_that_a_limit_is_ending(tmp_path: Path) -> None:
    process = start_hanging(
        tmp_path, "[3]", "deterministic=false", "evaluator.timeout=60", "target_score=0.25"
    )
    journal = tmp_path / "out/journal.jsonl"
    wait_for_events(
        journal, "measured", 1, having=lambda e: e["outcome"]["metrics"].get("combined_score", 0) >= 0.25
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1].startswith("target_score reached")


def test_ctrl_c_begins_nothing_of_what_an_earlier_session_had_begun(tmp_path: Path) -> None:
    journal = tmp_path / "out/journal.jsonl"
    options = ("deterministic=false", "database.num_islands=1")
    process = start_hanging(tmp_path, "range(1, 9)", *options, "evaluator.parallel_evaluations=6")
    wait_for_events(journal, "measuring", 7)
    process.kill()
    process.wait()
    before = len(list(read_journal(journal)))
    one = "evaluator.parallel_evaluations=1"
    process = start_hanging(tmp_path, "[]", *options, one, "evaluator.timeout=2", "proposals_ahead=0")
    wait_for_lines(journal, before + 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "interrupted"
    later = list(read_journal(journal))[before:]
    assert sum(e["event"] == "measuring" for e in later) == 1


def test_sigterm_ends_with_the_journal_finished(tmp_path: Path) -> None:
    process = start_slow(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "ended by SIGTERM"
    last = list(read_journal(tmp_path / "out/journal.jsonl"))[-1]
    assert (last["event"], last["reason"]) == ("run_finished", "ended by SIGTERM")
