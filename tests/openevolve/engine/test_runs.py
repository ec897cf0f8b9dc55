"""Whole runs of the engine on a tiny problem: real processes, real files, real kills."""

import json
import shutil
from pathlib import Path

import pytest

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.errors import UserError
from openevolve.records.program import FailureKind
from openevolve.state.journal import read_journal
from tests.support.scripted import RandomWalk, archive, make_run, run_walk, settings, story
from tests.support.walks import start, start_slow, wait_for_lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run that nothing disturbed, and its folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run_walk(folder, settings())


def test_every_iteration_is_accounted_for(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    history = result.state
    assert result.completed
    assert sorted(history.outcomes) == list(range(31))
    kinds = {outcome.failure for outcome in history.outcomes.values()}
    assert {None, FailureKind.PROPOSAL_INVALID, FailureKind.CRASHED} <= kinds
    assert sum(history.failures.values()) + sum(o.evaluated for o in history.outcomes.values()) == 31
    assert result.state.population.best()[0].metrics["combined_score"] > 0.1


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
    best = result.state.population.best()[0]
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
    assert len([e for e in events if e["event"] == "measured"]) == 35


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
    assert sorted(first.state.outcomes) == list(range(31))
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
    assert len(result.state.outcomes) < 31
    assert result.state.finished == result.reason


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("database.num_islands=1", "database.num_islands is 2, not 1"),
        ("database.fitness_metric=size", "database.fitness_metric is combined_score, not size"),
        ("database.tie_break_metric=lines", "database.tie_break_metric is None, not lines"),
        ("features={size: {low: 0, high: 1, count: 9}}", "features is .*'count': 5.*, not .*'count': 9"),
    ],
)
def test_a_run_keeps_the_archive_it_began_with(
    undisturbed: tuple[Path, Result], tmp_path: Path, override: str, message: str
) -> None:
    shutil.copytree(undisturbed[0], tmp_path / "copy")
    journal = tmp_path / "copy/out/journal.jsonl"
    before = journal.read_bytes()
    with pytest.raises(UserError, match=message):
        run_walk(tmp_path / "copy", settings("max_iterations=40", override))
    assert journal.read_bytes() == before


def test_an_initial_program_without_a_score_ends_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path, settings())
    run.initial_program.write_text("X = -1\n")
    with pytest.raises(UserError, match="expected an initial program with a score, found crashed"):
        execute(run, PlainDisplay())


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
