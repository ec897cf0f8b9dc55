"""Whole runs of the engine on a tiny problem: real processes, real files, real kills."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openevolve.display import PlainDisplay
from openevolve.errors import UserError
from openevolve.journal import read_journal
from openevolve.program import FailureKind
from openevolve.run import Result, execute
from tests.processes import processes_of
from tests.scripted import RandomWalk, archive, make_run, run_walk, settings, story

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run that nothing disturbed, and its folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run_walk(folder, settings())


def test_every_iteration_is_accounted_for(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    history = result.history
    assert result.completed
    assert sorted(history.outcomes) == list(range(31))
    kinds = {outcome.failure for outcome in history.outcomes.values()}
    assert {None, FailureKind.PROPOSAL_INVALID, FailureKind.CRASHED} <= kinds
    assert sum(history.failures.values()) + sum(o.evaluated for o in history.outcomes.values()) == 31
    assert result.database.best()[0].metrics["combined_score"] > 0.1


def test_equal_seeds_give_equal_runs_however_long_things_take(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    _, first = undisturbed
    second = run_walk(tmp_path, settings(), RandomWalk(delay=0.05))
    assert story(second) == story(first)
    assert archive(second) == archive(first)


def test_another_seed_gives_another_run(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    assert story(run_walk(tmp_path, settings("random_seed=2"))) != story(undisturbed[1])


def test_the_folder_holds_best_checkpoints_and_logs(undisturbed: tuple[Path, Result]) -> None:
    folder, result = undisturbed
    out = folder / "out"
    best = result.database.best()[0]
    assert (out / "best/best_program.py").read_text() == best.program.code
    assert json.loads((out / "best/best_program_info.json").read_text())["metrics"] == best.metrics
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [
        "checkpoint_10", "checkpoint_20", "checkpoint_30",
    ]  # fmt: skip
    last = out / "checkpoints/checkpoint_30"
    metadata = json.loads((last / "metadata.json").read_text())
    assert metadata["best_program_id"] == best.id
    exported = {path.stem for path in (last / "programs").iterdir()}
    assert set(metadata["archive"]) <= exported
    for programs in metadata["island_feature_maps"]:
        assert set(programs.values()) <= exported
    assert len(list((out / "logs").glob("openevolve_*.log"))) == 1


def test_a_cut_journal_resumes_to_the_same_end(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    folder, whole = undisturbed
    lines = (folder / "out/journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in (1, 2, 3, 9, 30, len(lines) - 1):
        target = tmp_path / str(kept)
        run = make_run(target, settings())
        run.folder.mkdir()
        (run.folder / "journal.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:17])
        resumed = run_walk(target, settings())
        assert story(resumed) == story(whole)
        assert archive(resumed) == archive(whole)


def test_what_is_finished_is_not_done_again(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    folder, whole = undisturbed
    shutil.copytree(folder, tmp_path / "run")
    proposer = RandomWalk()
    resumed = run_walk(tmp_path / "run", settings("max_iterations=34"), proposer)
    assert sorted(proposer.calls) == [31, 32, 33, 34]
    assert story(resumed)[:31] == story(whole)
    events = list(read_journal(tmp_path / "run/out/journal.jsonl"))
    assert [e["event"] for e in events].count("run_started") == 2
    assert len([e for e in events if e["event"] in ("evaluated", "failed")]) == 35


def test_a_deleted_checkpoint_is_written_again(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _ = undisturbed
    shutil.copytree(folder, tmp_path / "run")
    gone = tmp_path / "run/out/checkpoints/checkpoint_20"
    before = (gone / "metadata.json").read_text()
    shutil.rmtree(gone)
    run_walk(tmp_path / "run", settings())
    assert (gone / "metadata.json").read_text() == before


def test_without_determinism_nothing_is_lost_either(tmp_path: Path) -> None:
    config = settings("deterministic=false", "proposals_ahead=3")
    first = run_walk(tmp_path, config, RandomWalk(delay=0.02))
    assert sorted(first.history.outcomes) == list(range(31))
    resumed = run_walk(tmp_path, config)
    assert story(resumed) == story(first)
    assert archive(resumed) == archive(first)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("budget.evaluations=5", "budget.evaluations reached"),
        ("budget.hours=0.0001", "budget.hours reached"),
        ("early_stopping_patience=3", "early stopping"),
    ],
)
def test_a_limit_ends_the_run_and_says_so(tmp_path: Path, override: str, reason: str) -> None:
    result = run_walk(tmp_path, settings(override, "convergence_threshold=0.5"), RandomWalk(delay=0.2))
    assert result.reason.startswith(reason)
    assert not result.completed
    assert len(result.history.outcomes) < 31
    assert result.history.finished == result.reason


def test_an_initial_program_without_a_score_ends_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path, settings())
    run.initial_program.write_text("X = -1\n")
    with pytest.raises(UserError, match="expected an initial program with a score, found crashed"):
        execute(run, PlainDisplay())


SCRIPT = """
import sys
from pathlib import Path
from tests.processes import processes_of
from tests.scripted import RandomWalk, run_walk, settings
result = run_walk(Path(sys.argv[1]), settings(*sys.argv[2:]), RandomWalk(delay=0.02))
print(result.reason)
"""


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *overrides],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for_lines(path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def wait_for_events(journal: Path, name: str, count: int) -> None:
    wait_for_lines(journal, 1)
    deadline = time.monotonic() + 60
    while sum(event["event"] == name for event in read_journal(journal)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_9_at_any_moment_loses_nothing_and_leaves_nobody(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    journal = tmp_path / "out/journal.jsonl"
    for lines in (1, 4, 12, 25, 40, 60):
        process = start(tmp_path)
        wait_for_lines(journal, lines)
        process.kill()
        process.wait()
        finished = {e["iteration"] for e in read_journal(journal) if e["event"] in ("evaluated", "failed")}
        deadline = time.monotonic() + 10
        while processes_of(tmp_path):
            assert time.monotonic() < deadline, processes_of(tmp_path)
            time.sleep(0.01)
    resumed = run_walk(tmp_path, settings())
    assert finished <= set(resumed.history.outcomes)
    results = [e["iteration"] for e in read_journal(journal) if e["event"] in ("evaluated", "failed")]
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
    events = list(read_journal(tmp_path / "out/journal.jsonl"))
    started = [e["iteration"] for e in events if e["event"] == "evaluation_started"]
    ended = [e["iteration"] for e in events if e["event"] in ("evaluated", "failed")]
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


HANGING = """
from openevolve.program import Proposal
class Hanging(RandomWalk):
    async def propose(self, context):
        hangs = context.iteration in HANG
        code = f"X = {96 + context.iteration}\\n"
        return Proposal(code=code, proposer="walk") if hangs else await super().propose(context)
"""


def start_hanging(folder: Path, iterations: str, *overrides: str) -> subprocess.Popen[str]:
    """A run in which the programs of some iterations never come back."""
    script = SCRIPT.replace("result =", f"HANG = {iterations}{HANGING}result =")
    return subprocess.Popen(
        [sys.executable, "-c", script.replace("RandomWalk(delay", "Hanging(delay"), str(folder), *overrides],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_ctrl_c_also_ends_a_run_that_a_limit_is_ending(tmp_path: Path) -> None:
    process = start_hanging(
        tmp_path, "[3]", "deterministic=false", "evaluator.timeout=60", "budget.evaluations=5"
    )
    journal = tmp_path / "out/journal.jsonl"
    wait_for_events(journal, "evaluated", 5)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1].startswith("budget.evaluations reached")


def test_ctrl_c_begins_nothing_of_what_an_earlier_session_had_begun(tmp_path: Path) -> None:
    journal = tmp_path / "out/journal.jsonl"
    options = ("deterministic=false", "database.num_islands=1")
    process = start_hanging(tmp_path, "range(1, 9)", *options, "evaluator.parallel_evaluations=6")
    wait_for_events(journal, "evaluation_started", 7)
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
    assert sum(e["event"] == "evaluation_started" for e in later) == 1


def start_slow(folder: Path) -> subprocess.Popen[str]:
    """A run whose initial program hangs in evaluation for a minute."""
    script = SCRIPT.replace(
        "result =",
        "import tests.scripted as s; s.INITIAL = 'X = 96.0\\n'\nresult =",
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder), "evaluator.timeout=60"],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_sigterm_ends_with_the_journal_finished(tmp_path: Path) -> None:
    process = start_slow(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "ended by SIGTERM"
    last = list(read_journal(tmp_path / "out/journal.jsonl"))[-1]
    assert (last["event"], last["reason"]) == ("run_finished", "ended by SIGTERM")


def test_two_runners_on_one_folder(tmp_path: Path) -> None:
    process = start_slow(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 1)
    with pytest.raises(UserError, match=f"found process {process.pid}"):
        run_walk(tmp_path, settings())
    process.kill()
    process.wait()


def test_a_run_directory_can_be_moved(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    process = start(tmp_path / "here")
    wait_for_lines(tmp_path / "here/out/journal.jsonl", 20)
    process.kill()
    process.wait()
    (tmp_path / "here").rename(tmp_path / "there")
    assert story(run_walk(tmp_path / "there", settings())) == story(undisturbed[1])
