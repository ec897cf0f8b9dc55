"""What a run prints while it lasts."""

from pathlib import Path

import pytest

from openevolve.commands.display import PlainDisplay, Status
from openevolve.engine.run import execute
from openevolve.population.shrinkage import shrunk
from openevolve.records.program import FailureKind, Outcome
from openevolve.state.state import State
from tests.support.scripted import EVALUATOR, make_run, settings


def printed(folder: Path, result: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a run whose evaluator returns ``result``."""
    run = make_run(folder, settings("max_iterations=2"))
    run.evaluator.write_text(EVALUATOR.replace('"combined_score": x / 100', result))
    execute(run, PlainDisplay())
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]


def test_a_standard_error_stands_beside_the_fitness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, *_] = printed(tmp_path, '"combined_score": x / 100, "combined_score_se": 0.00812', capsys)
    assert first == "[0/2] combined_score 0.1000 ± 0.0081 | the initial program"


def test_without_one_nothing_is_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(tmp_path, '"combined_score": x / 100', capsys)
    assert len(lines) == 4
    assert lines[3].startswith("[so far] best combined_score ")
    assert lines[0] == "[0/2] combined_score 0.1000 | the initial program"
    assert not any("±" in line or "in full" in line for line in lines)


@pytest.fixture
def state(tmp_path: Path) -> State:
    """That of a run of two iterations."""
    run = make_run(tmp_path, settings("max_iterations=2"))
    return execute(run, PlainDisplay()).state


def status_of(state: State) -> Status:
    return Status(state, lambda: 0.0)


def test_a_rejection_says_why_and_a_twin_is_marked(state: State) -> None:
    program = state.programs[1]
    why = "scored 0.1 on rung 1, lower than 9 of 10 programs; at most 0.2 is expected in full"
    state.outcomes[1] = Outcome(program.id, {"combined_score": 0.1}, rung=1, message=why)
    line = status_of(state).line({"iteration": 1, "duplicate_of": None})
    assert line.startswith(f"rejected: {why}")
    again = status_of(state).line({"iteration": 2, "duplicate_of": 0})
    assert "the same program as iteration 0, which counts" in again


def test_a_message_is_not_cut_before_it_has_said_what_it_says(state: State) -> None:
    message = "expected " + "a change of the program that counts, " * 6 + "found the parent again"
    state.outcomes[1] = Outcome(state.programs[1].id, failure=FailureKind.PROPOSAL_INVALID, message=message)
    assert message in status_of(state).line({"iteration": 1, "duplicate_of": None})


def test_how_a_run_stands_is_said_every_ten_iterations_and_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(make_run(tmp_path, settings("max_iterations=21")), PlainDisplay())
    lines = capsys.readouterr().out.splitlines()
    assert [number for number, line in enumerate(lines) if line.startswith("[so far] best ")] == [11, 22, 24]
    assert max(len(line) for line in lines if not line.startswith("[so far]")) < 110


def test_the_best_of_many_is_told_with_its_luck_taken_back(tmp_path: Path) -> None:
    run = make_run(tmp_path, settings("max_iterations=6"))
    noisy = '"combined_score": x / 100, "combined_score_se": 0.05'
    run.evaluator.write_text(EVALUATOR.replace('"combined_score": x / 100', noisy))
    state = execute(run, PlainDisplay()).state
    members = state.population.best(len(state.population))
    values = [state.population.fitness(member.metrics) for member in members]
    likely = shrunk(values, [0.05] * len(values))[0].mean
    assert likely < values[0]
    told = Status(state, lambda: 0.0).best()
    assert told.startswith(f"combined_score {values[0]:.4f} ± 0.0500, likely {likely:.4f} (iteration ")
