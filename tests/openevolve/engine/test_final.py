"""The end of a run: the best are measured afresh, whatever happens meanwhile."""

import json
import re
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from openevolve.engine.run import Result
from openevolve.errors import UserError
from openevolve.inspect.asking import ask, request
from openevolve.search.final import course_of, standing, winner_of
from openevolve.state.journal import read_journal
from openevolve.state.replay import replay
from tests.support.finals import EVALUATOR, run, start
from tests.support.walks import wait_for_events


def looks(folder: Path) -> Counter[tuple[str, str, int]]:
    """What was measured afresh, as the journal says."""
    events = read_journal(folder / "out/journal.jsonl")
    return Counter((e["program_id"], e["unit"], e["repeat"]) for e in events if e["event"] == "looked")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run with a final, and its folder."""
    folder = tmp_path_factory.mktemp("held")
    return folder, run(folder)


def test_the_winner_is_chosen_and_scored_by_fresh_measurements_alone(held: tuple[Path, Result]) -> None:
    folder, result = held
    state = result.state
    final, winner = state.final, winner_of(state)
    assert final is not None
    assert winner is not None
    assert result.reason == "completed"
    assert len(final.candidates) > 2
    assert set(final.noise) == {"noisy"}  # of one training nothing is known
    assert min(look.repeat for look in state.looks if look.unit == "noisy") == 2  # 0 and 1 were the search's
    assert min(look.repeat for look in state.looks if look.unit == "calm") == 1
    assert set(looks(folder).values()) == {1}
    assert sum(look.cost for look in state.looks) <= final.budget
    own = [look.value for look in state.looks if (look.program_id, look.unit) == (winner.program_id, "noisy")]
    others = [
        look.value for look in state.looks if (look.program_id, look.unit) == (winner.program_id, "calm")
    ]
    assert winner.score == pytest.approx(sum(own) / len(own) / 2 + sum(others) / len(others) / 2)
    assert winner.standard_error > 0


def test_best_says_what_was_claimed_and_what_was_found(held: tuple[Path, Result]) -> None:
    folder, result = held
    winner = winner_of(result.state)
    assert winner is not None
    assert result.state.final is not None
    info = json.loads((folder / "out/best/best_program_info.json").read_text())
    program = result.state.programs[result.state.iterations[winner.program_id]]
    assert info["id"] == winner.program_id
    assert (folder / "out/best/best_program.py").read_text() == program.code
    assert info["scores"]["claimed"] == info["metrics"]["combined_score"]
    assert info["scores"]["final"] == winner.score
    assert info["scores"]["estimated"] == result.state.final.estimated[winner.program_id]
    # Luck was selected: on average the finalists' claims were too high.
    course = course_of(result.state)
    assert course is not None
    found = {standing.program_id: standing.score for standing in course.standings()}
    assert np.mean([result.state.final.claimed[name] - score for name, score in found.items()]) > 0


def test_finalists_stand_before_all_others_in_the_order_of_the_final(held: tuple[Path, Result]) -> None:
    state = held[1].state
    course, order = course_of(state), [elite.id for elite in standing(state)]
    assert course is not None
    finalists = [each.program_id for each in course.standings()]
    assert order[: len(finalists)] == finalists
    others = [state.scored(state.iterations[name]) for name in order[len(finalists) :]]
    values = [state.population.value(elite) for elite in others if elite]
    assert len(order) == len(state.population) > len(finalists)
    assert values == sorted(values, reverse=True)


def test_a_reader_knows_the_same(held: tuple[Path, Result]) -> None:
    folder, result = held
    assert winner_of(replay(folder / "out/journal.jsonl")) == winner_of(result.state)


def test_a_final_that_is_over_is_not_held_again(held: tuple[Path, Result], tmp_path: Path) -> None:
    first = run(tmp_path)
    before = looks(tmp_path)
    again = run(tmp_path)
    assert looks(tmp_path) == before
    assert winner_of(again.state) == winner_of(first.state) == winner_of(held[1].state)
    longer = run(tmp_path, "max_iterations=40")  # the search goes on, and its end has a final of its own
    assert winner_of(longer.state) is not None
    assert len(looks(tmp_path)) > len(before)
    assert set(looks(tmp_path).values()) == {1}  # nothing is measured twice, in no final


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_final_goes_on_where_it_was_ended(
    number: signal.Signals, held: tuple[Path, Result], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "looked", 3)
    process.send_signal(number)
    process.communicate(timeout=60)
    done = looks(tmp_path)
    assert 3 <= sum(done.values()) < sum(looks(held[0]).values())
    result = run(tmp_path)
    assert winner_of(result.state) == winner_of(held[1].state)
    assert looks(tmp_path) == looks(held[0])
    assert all(looks(tmp_path)[key] == 1 for key in done)


def test_a_request_to_stop_is_heard(held: tuple[Path, Result], tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "looked", 3)
    ask(str(tmp_path / "out"), request("stop"))
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "stopped at a request"
    assert sum(looks(tmp_path).values()) < sum(looks(held[0]).values())
    assert winner_of(run(tmp_path).state) == winner_of(held[1].state)


def test_who_fails_in_the_final_is_out_of_it(held: tuple[Path, Result], tmp_path: Path) -> None:
    assert held[1].state.final is not None
    favourite = held[1].state.final.candidates[0]
    result = run(tmp_path, FAILS=f"{favourite}.py")
    winner = winner_of(result.state)
    assert winner is not None
    assert result.state.final is not None
    assert favourite not in {winner.program_id, *result.state.final.candidates}
    assert result.reason == "completed"


def test_if_all_fail_nobody_wins(tmp_path: Path) -> None:
    result = run(tmp_path, FAILS="all")
    assert result.reason == "completed"
    assert result.state.final is not None
    assert result.state.final.candidates == ()
    assert winner_of(result.state) is None


def test_without_units_a_run_says_so_before_it_begins(tmp_path: Path) -> None:
    alone = EVALUATOR.replace("def units", "def no_units")
    with pytest.raises(UserError, match=r"expected functions units\(\) and measure.*final_share to 0"):
        run(tmp_path, evaluator=alone)
    assert not any(event["event"] == "measured" for event in read_journal(tmp_path / "out/journal.jsonl"))


def test_the_share_is_kept_of_what_a_budget_allows(tmp_path: Path) -> None:
    result = run(tmp_path, "budget.evaluations=20", "deterministic=false")
    assert 8 <= result.state.evaluations <= 10  # 8, and what was under way
    assert winner_of(result.state) is not None


def test_the_lines_of_a_final_say_what_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    final = [line for line in lines if line.startswith("[final]")]
    assert re.fullmatch(r"\[final\] the best by estimate are measured afresh: iterations [\d, ]+", final[0])
    assert all(
        re.fullmatch(r"\[final\] iteration \d+, (noisy|calm): -?\d\.\d{4}", line) for line in final[1:]
    )
