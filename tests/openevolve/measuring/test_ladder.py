"""Whole runs in rungs: decisions in the journal, equal runs, kills between rungs, what is reported."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.commands import evolve as cli
from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.errors import UserError
from openevolve.measuring.ladder import is_remote
from openevolve.population.island import Cell
from openevolve.proposing.desk import Desk
from openevolve.records.decision import Verdict
from openevolve.records.program import Context, FailureKind, Outcome, Proposal
from openevolve.search.stopping import Stopping
from openevolve.state.journal import read_journal
from openevolve.state.state import State
from tests import PROJECT
from tests.support.laddered import (
    EVALUATOR,
    IN_THREE_RUNGS,
    decisions,
    judged_events,
    ladder_settings,
    run_in_rungs,
)
from tests.support.scripted import RandomWalk, archive, make_run, run_walk, settings, story
from tests.support.walks import wait_for_lines

CELL = st.tuples(st.integers(0, 5), st.integers(0, 5))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run_in_rungs(folder, ladder_settings())


def verdicts(result: Result) -> dict[int, Verdict]:
    """Of each program's first rung."""
    return {iteration: by_rung[1].verdict for iteration, by_rung in decisions(result).items()}


def test_programs_are_promoted_rejected_and_audited(undisturbed: tuple[Path, Result]) -> None:
    folder, result = undisturbed
    history = result.state
    assert result.completed
    assert sorted(history.outcomes) == list(range(61))
    assert set(verdicts(result).values()) == set(Verdict)
    for iteration, verdict in verdicts(result).items():
        outcome = history.outcomes[iteration]
        assert outcome.rejected == (verdict is Verdict.REJECTED)
        log = (folder / "log" / outcome.program_id).read_text().split()
        if outcome.rejected:
            assert log == ["rung", "freed"]
            assert outcome.metrics["cost"] == 1
        else:
            assert log[:2] == ["rung", "full"]
    held = {elite.program.iteration for elite in result.state.population.best(100)}
    assert held == {i for i, outcome in history.outcomes.items() if outcome.evaluated}


def test_a_program_is_judged_on_every_rung_below_the_full_evaluation(tmp_path: Path) -> None:
    result = run_in_rungs(tmp_path, ladder_settings(), evaluator=IN_THREE_RUNGS)
    assert result.state.rungs == 3
    rejected_on = set()
    for iteration, by_rung in decisions(result).items():
        outcome = result.state.outcomes[iteration]
        *before, last = by_rung.values()
        assert Verdict.REJECTED not in [decision.verdict for decision in before]
        assert outcome.rejected == (last.verdict is Verdict.REJECTED)
        log = (tmp_path / "log" / outcome.program_id).read_text().split()
        reached = last.rung if outcome.rejected else 3
        assert log == [*["rung", "second", "full"][:reached], "freed"]
        if outcome.rejected:
            assert outcome.metrics["cost"] == {1: 1, 2: 3}[last.rung]
            rejected_on.add(last.rung)
            # One draw for all rungs: an audited program goes all the way.
            assert Verdict.AUDITED not in [decision.verdict for decision in before]
    assert rejected_on == {1, 2}
    assert result.ladder is not None
    assert result.ladder.audited == sum(
        any(decision.verdict is Verdict.AUDITED for decision in by_rung.values())
        for by_rung in decisions(result).values()
    )


@given(st.lists(st.dictionaries(CELL, st.floats(0, 1)), min_size=1, max_size=3), CELL)
def test_a_cell_is_remote_where_no_island_has_a_program_in_or_beside_it(
    elites: list[dict[Cell, float]], cell: Cell
) -> None:
    around = {(cell[0] + a, cell[1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1)}
    assert is_remote(cell, elites) == all(around.isdisjoint(island) for island in elites)


def test_a_program_in_a_remote_cell_is_not_judged(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    unjudged = {
        iteration: by_rung[1]
        for iteration, by_rung in decisions(result).items()
        if not by_rung[1].judged and by_rung[1].full >= 5
    }
    assert {decision.verdict for decision in unjudged.values()} == {Verdict.PROMOTED}
    assert not any(result.state.outcomes[iteration].rejected for iteration in unjudged)


def test_nothing_is_rejected_before_enough_full_evaluations(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    for by_rung in decisions(result).values():
        decision = by_rung[1]
        assert decision.full >= 5 or not decision.judged
        if not decision.judged:
            assert decision.verdict is Verdict.PROMOTED


def test_a_rejected_program_is_no_failure_and_says_why(undisturbed: tuple[Path, Result]) -> None:
    history = undisturbed[1].state
    rejected = [outcome for outcome in history.outcomes.values() if outcome.rejected]
    assert len(rejected) == history.rejected > 0
    for outcome in rejected:
        assert outcome.failure is None
        assert "on rung 1, lower than " in outcome.message


def test_a_program_that_fails_after_a_rung_is_a_failure(tmp_path: Path) -> None:
    class Half(RandomWalk):
        """Proposes what raises in full, then what never comes back."""

        async def propose(self, context: Context, desk: Desk) -> Proposal:
            code = "X = 50.5\n" if context.iteration == 1 else "X = 96.0\n"
            return Proposal(code=code, proposer="half")

    result = run_in_rungs(tmp_path, ladder_settings("max_iterations=2", "evaluator.timeout=5"), Half())
    kinds = [result.state.outcomes[i].failure for i in (1, 2)]
    assert kinds == [FailureKind.CRASHED, FailureKind.TIMEOUT]
    assert set(decisions(result)) == {0, 1, 2}


def test_equal_seeds_give_equal_decisions_however_long_things_take(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    _, first = undisturbed
    second = run_in_rungs(tmp_path, ladder_settings(), RandomWalk(delay=0.05), {"SLOW": "0.02"})
    assert story(second) == story(first)
    assert decisions(second) == decisions(first)
    assert archive(second) == archive(first)


def test_a_journal_cut_between_rungs_resumes_to_the_same_end(
    undisturbed: tuple[Path, Result], tmp_path: Path
) -> None:
    folder, whole = undisturbed
    lines = (folder / "out/journal.jsonl").read_bytes().splitlines(keepends=True)
    after_decisions = [n for n, line in enumerate(lines, start=1) if b'"event":"judged"' in line]
    for kept in (after_decisions[0], after_decisions[len(after_decisions) // 2], after_decisions[-1] - 1):
        target = tmp_path / str(kept)
        (target / "out").mkdir(parents=True)
        (target / "out/journal.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:17])
        resumed = run_in_rungs(target, ladder_settings())
        assert story(resumed) == story(whole)
        assert decisions(resumed) == decisions(whole)
        assert archive(resumed) == archive(whole)
        events = judged_events(target)
        assert len(events) == len(set(events))  # each decision is taken once


SCRIPT = """
import sys
from pathlib import Path
from tests.support.laddered import ladder_settings, run_in_rungs
run_in_rungs(Path(sys.argv[1]), ladder_settings(), environment={"SLOW": "0.3"})
"""


def test_kill_9_between_rungs_changes_nothing(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    journal = tmp_path / "out/journal.jsonl"
    between = 0
    for lines in (4, 30, 70):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=PROJECT, stdout=subprocess.DEVNULL
        )
        wait_for_lines(journal, lines)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        events = list(read_journal(journal))
        ended = {e["iteration"] for e in events if e["event"] == "measured"}
        between += any(e["event"] == "judged" and e["iteration"] not in ended for e in events)
    assert between > 0
    resumed = run_in_rungs(tmp_path, ladder_settings())
    assert story(resumed) == story(undisturbed[1])
    assert decisions(resumed) == decisions(undisturbed[1])
    assert archive(resumed) == archive(undisturbed[1])


def test_without_determinism_a_resumed_run_knows_as_much(tmp_path: Path) -> None:
    config = ladder_settings("deterministic=false", "proposals_ahead=3", "max_iterations=40")
    first = run_in_rungs(tmp_path, config, RandomWalk(delay=0.02))
    assert sorted(first.state.outcomes) == list(range(41))
    resumed = run_in_rungs(tmp_path, config)
    assert story(resumed) == story(first)
    assert decisions(resumed) == decisions(first)
    assert resumed.ladder == first.ladder


def test_what_it_saved_is_reported(undisturbed: tuple[Path, Result]) -> None:
    report = undisturbed[1].ladder
    assert report is not None
    assert report.cost_share is not None
    history = undisturbed[1].state
    own = [history.outcomes[i] for i in history.decisions if history.outcomes[i].failure is None]
    assert report.cost_share == pytest.approx(sum(o.metrics["cost"] for o in own) / (10 * len(own)))
    assert 0 < report.cost_share < 1
    marked = [v for v in verdicts(undisturbed[1]).values() if v is Verdict.AUDITED]
    assert (report.full, report.rejected, report.audited) == (history.full, history.rejected, len(marked))
    assert [line.partition(":")[0] for line in report.lines()] == [
        "evaluated_in_full", "rejected", "audited", "audit_recall", "cost_share",
    ]  # fmt: skip


def test_rejected_programs_are_shown_as_such(
    undisturbed: tuple[Path, Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_in_rungs(tmp_path, ladder_settings())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    rejected = [line for line in lines if "rejected: scored " in line and " on rung 1, lower than " in line]
    history = undisturbed[1].state
    assert len(rejected) == sum(outcome.rejected for outcome in history.outcomes.values())
    assert f"{history.full} in full ({history.audits} to audit), {history.rejected} rejected" in lines[-1]


def test_an_evaluator_without_rungs_ends_the_run_with_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"expected a function evaluate_rungs\(program_path\), since the sett"
    ):
        run_walk(tmp_path, ladder_settings())


def test_a_rung_without_the_fitness_metric_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, ladder_settings())
    run.evaluator.write_text(EVALUATOR.replace('yield {"combined_score": x / 200', 'yield {"other": x / 200'))
    with pytest.raises(UserError, match="rung 1: expected a usable metric 'combined_score', found"):
        execute(run, PlainDisplay())


def test_the_command_ends_with_what_it_saved(
    undisturbed: tuple[Path, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, result = undisturbed
    cli._report(make_run(folder, ladder_settings()), result)
    printed = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines()[1:])
    assert int(printed["rejected"]) == result.state.rejected > 0
    assert int(printed["evaluated_in_full"]) == result.state.full
    assert 0 < float(printed["cost_share"]) < 1
    assert printed["audit_recall"].endswith("audited)")


IN_WALLS = """
def evaluate_rungs(program_path):
    space = {}
    with open(program_path) as file:
        exec(file.read(), space)
    try:
        open("/etc/hostname")
    except PermissionError:
        for divisor in (200, 100):
            yield {"combined_score": space["X"] / divisor, "size": 0.5}

def evaluate(program_path):
    raise NotImplementedError
"""


def test_rungs_are_climbed_within_walls(tmp_path: Path) -> None:
    run = make_run(tmp_path, ladder_settings("max_iterations=30", "evaluator.isolation=strict"))
    run.evaluator.write_text(IN_WALLS)
    found = verdicts(execute(run, PlainDisplay()))
    assert {Verdict.PROMOTED, Verdict.REJECTED} <= set(found.values())


def test_a_run_begun_in_full_goes_on_in_rungs(tmp_path: Path) -> None:
    started = run_in_rungs(tmp_path, settings("max_iterations=10", "evaluator.isolation=process"))
    assert (started.ladder, decisions(started)) == (None, {})
    result = run_in_rungs(tmp_path, ladder_settings("max_iterations=50"))
    assert story(result)[:11] == story(started)
    assert result.state.rungs == 2
    assert result.state.rejected > 0
    assert min(decisions(result)) > 10


def test_a_score_on_a_lower_rung_is_no_gain() -> None:
    config = settings("early_stopping_patience=2")
    state = State(config)
    stopping = Stopping(config, state)
    outcomes = [
        Outcome("a", {"combined_score": 0.5}),
        Outcome("b", {"combined_score": 0.9}, rung=1),
        Outcome("c", {"combined_score": 0.4}),
    ]
    for iteration, outcome in enumerate(outcomes):
        assert not stopping.reached(0)
        state.outcomes[iteration] = outcome
        state.committed.append(iteration)
    assert stopping.reached(0)


def test_in_full_nothing_changes(tmp_path: Path) -> None:
    result = run_walk(tmp_path, settings("max_iterations=5", "fidelity=full"))
    assert result.ladder is None
    assert decisions(result) == {}
    assert judged_events(tmp_path) == []
