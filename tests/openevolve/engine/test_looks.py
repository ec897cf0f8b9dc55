"""Units measured again while a search lasts: luck is found out, whatever happens meanwhile."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.state.journal import read_journal
from openevolve.state.replay import replay
from openevolve.state.state import State
from tests import PROJECT
from tests.support.finals import EVALUATOR, plan_of
from tests.support.scripted import archive, settings, story
from tests.support.walks import wait_for_events

# What each repeat gave is said, so that noise is known from the first program on. On its rung "noisy" is
# measured once; a program that looks poor there is set aside.
LADDER = (
    EVALUATOR.replace(
        'return {**means, **facts, "combined_score": sum(means.values()) / 2}',
        """from openevolve.evaluation_result import EvaluationResult
    return EvaluationResult({**means, **facts, "combined_score": sum(means.values()) / 2}, {}, values)""",
    )
    + """
def evaluate_rungs(program_path):
    from openevolve.evaluation_result import EvaluationResult
    first = one(program_path, "noisy", 0)
    yield EvaluationResult({"combined_score": first, "size": 0.5}, {}, {"noisy": [first]})
    yield evaluate(program_path)
"""
)
FULL = ("further_share=0.3", "database.num_islands=1", "evaluator.preload=[random]")
RUNGS = (*FULL, "fidelity={min_full: 4, top_share: 0.05, confidence: 0.05, audit_share: 0}")


def run(folder: Path, *overrides: str, **environment: str) -> Result:
    return execute(plan_of(folder, settings(*overrides), LADDER, 0.0, **environment), PlainDisplay())


def looks(folder: Path) -> Counter[tuple[str, str, int]]:
    events = read_journal(folder / "out/journal.jsonl")
    return Counter((e["program_id"], e["unit"], e["repeat"]) for e in events if e["event"] == "looked")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("searched")
    return folder, run(folder, *FULL)


def test_what_may_be_the_best_is_measured_again_within_the_share(searched: tuple[Path, Result]) -> None:
    folder, result = searched
    known = result.state.measurements
    assert known.estimates is not None
    assert set(looks(folder).values()) == {1}
    assert 0 < known.further < (0.3 * known.spent) + 4
    assert not known.due
    again = Counter(program for program, _, _ in looks(folder).elements())
    values = {name: known.fitness(name) or 0.0 for name in known.estimates.ids}
    cut = float(np.median(list(values.values())))
    assert np.mean([values[name] > cut for name in again.elements()]) > 0.6


def test_estimates_rank_and_not_the_luckiest_score(searched: tuple[Path, Result]) -> None:
    population, known = searched[1].state.population, searched[1].state.measurements
    members = population.best(len(population))
    assert [population.value(elite) for elite in members] == [known.fitness(elite.id) for elite in members]
    assert members == sorted(members, key=population.order)
    for cell, key in population.archive_cells.items():
        holders = [elite for elite in members if population.cell(elite) == cell]
        assert key == population.order(holders[0])
    luckiest = max(population.fitness(elite.metrics) for elite in members)
    assert population.value(members[0]) < luckiest


def truth(state: State, program_id: str) -> float:
    space: dict[str, float] = {}
    exec(state.programs[state.iterations[program_id]].code, space)
    return space["X"] / 100


def test_estimates_are_nearer_to_the_truth(searched: tuple[Path, Result]) -> None:
    state = searched[1].state
    members = state.population.best(10)
    claimed = np.array([state.population.fitness(elite.metrics) for elite in members])
    estimated = np.array([state.population.value(elite) for elite in members])
    true = np.array([truth(state, elite.id) for elite in members])
    assert np.abs(estimated - true).mean() < np.abs(claimed - true).mean()


def test_a_reader_knows_the_same(searched: tuple[Path, Result]) -> None:
    folder, result = searched
    read = replay(folder / "out/journal.jsonl")
    assert archive(Result("", read)) == archive(result)
    assert read.measurements.estimates is not None
    assert result.state.measurements.estimates is not None
    assert np.array_equal(read.measurements.estimates.means, result.state.measurements.estimates.means)


def test_the_number_of_slots_changes_nothing(searched: tuple[Path, Result], tmp_path: Path) -> None:
    alone = run(tmp_path, *FULL, "evaluator.parallel_evaluations=1")
    assert story(alone) == story(searched[1])
    assert archive(alone) == archive(searched[1])
    assert looks(tmp_path) == looks(searched[0])


SCRIPT = """
import sys
from pathlib import Path
from tests.openevolve.engine.test_looks import FULL, run
print(run(Path(sys.argv[1]), *FULL, SLOW="0.05").reason)
"""


@pytest.mark.parametrize(("number", "after"), [(signal.SIGKILL, 2), (signal.SIGKILL, 5), (signal.SIGINT, 3)])
def test_a_search_goes_on_where_it_was_ended(
    number: signal.Signals, after: int, searched: tuple[Path, Result], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for_events(tmp_path / "out/journal.jsonl", "looked", after)
    process.send_signal(number)
    process.communicate(timeout=60)
    result = run(tmp_path, *FULL)
    assert looks(tmp_path) == looks(searched[0])
    assert archive(result) == archive(searched[1])


def test_a_program_that_was_set_aside_is_taken_up_again(tmp_path: Path) -> None:
    state = run(tmp_path, *RUNGS, "max_iterations=60", "random_seed=5").state
    set_aside = {
        e["outcome"]["program_id"]
        for e in read_journal(tmp_path / "out/journal.jsonl")
        if e["event"] == "measured" and e["outcome"]["rung"]
    }
    again = {program for program, _, _ in looks(tmp_path)} & set_aside
    taken_up = {name for name in again if state.outcomes[state.iterations[name]].evaluated}
    assert taken_up
    for name in taken_up:
        outcome = state.outcomes[state.iterations[name]]
        assert outcome.metrics["combined_score"] == pytest.approx(
            (outcome.metrics["noisy"] + outcome.metrics["calm"]) / 2
        )
        state.population.member(name)  # raises where it is none
    # Its first repeat of the other unit is the one that its evaluation would have been.
    assert all((name, "calm", 0) in looks(tmp_path) for name in taken_up)
    assert state.full + state.rejected == sum(o.failure is None for o in state.outcomes.values()) - len(
        [e for e in read_journal(tmp_path / "out/journal.jsonl") if e.get("duplicate_of") is not None]
    )


def test_a_program_that_fails_in_a_look_is_not_looked_at_again(tmp_path: Path) -> None:
    run(tmp_path / "a", *FULL)
    first = next(
        event["program_id"]
        for event in read_journal(tmp_path / "a/out/journal.jsonl")
        if event["event"] == "looked"
    )
    state = run(tmp_path / "b", *FULL, FAILS=f"{first}.py").state
    assert state.measurements.closed == {first}
    assert sum(count for (program, _, _), count in looks(tmp_path / "b").items() if program == first) <= 16
    assert state.finished == "completed"


def test_looks_of_a_final_that_ended_out_of_order_are_not_measured_twice(tmp_path: Path) -> None:
    """A kill may come when the second repeat is on record and the first is not."""
    options = ("final_share=0.6", "database.num_islands=1", "evaluator.preload=[random]")
    whole = run(tmp_path / "whole", *options)
    lines = (tmp_path / "whole/out/journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    begun = next(place for place, event in enumerate(events) if event["event"] == "final_begun")
    ended = [place for place in range(begun, len(events)) if events[place]["event"] == "looked"][:6]
    kept = [lines[place] for place in ended if events[place]["repeat"] != events[ended[0]]["repeat"]]
    assert kept
    plan_of(tmp_path / "cut", settings(*options), LADDER)
    journal = tmp_path / "cut/out/journal.jsonl"
    journal.parent.mkdir()
    journal.write_text("\n".join([*lines[: begun + 1], *kept, ""]))
    resumed = run(tmp_path / "cut", *options)
    assert looks(tmp_path / "cut") == looks(tmp_path / "whole")
    assert resumed.state.looks
    assert {look.key for look in resumed.state.looks} == {look.key for look in whole.state.looks}
