"""Readers of a run: finished, killed, and one whose texts are hostile."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.inspect import questions, single, tables, texts
from openevolve.inspect.clean import clean, one_line
from openevolve.inspect.database import sql
from openevolve.inspect.decisions import decisions
from openevolve.inspect.facts import Fact, facts, iteration_of
from openevolve.inspect.reading import Run, read_run
from openevolve.population.shrinkage import luck_of_the_best, shrunk
from openevolve.state.state import State
from tests.support import scripted
from tests.support.inspected import hostile_run
from tests.support.walks import start, wait_for_events


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, State]:
    folder = tmp_path_factory.mktemp("finished")
    result = scripted.run_walk(folder, scripted.settings())
    return read_run(str(folder / "out")), result.state


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(str(hostile_run(tmp_path_factory.mktemp("hostile"))))


def test_status_is_what_the_run_held(finished: tuple[Run, State]) -> None:
    run, held = finished
    answer = questions.status(run)
    best = held.population.best()[0]
    assert (answer["standing"], answer["done"], answer["asked"]) == ("completed", 30, 30)
    assert answer["best"]["id"] == best.id
    assert answer["best"]["fitness"] == held.population.fitness(best.metrics)
    assert answer["failures"] == dict(held.failures)
    assert answer["under_way"] == []


def test_the_leaderboard_is_the_order_of_the_population(finished: tuple[Run, State]) -> None:
    run, held = finished
    ids = [row["id"] for row in questions.leaderboard(run, top=1000)]
    assert [(-held.population.fitness(elite.metrics)) for elite in held.population.best(1000)] == sorted(
        -row["fitness"] for row in questions.leaderboard(run, top=1000)
    )
    assert set(ids) == {elite.id for elite in held.population.best(1000)}
    sizes = [row["metrics"]["size"] for row in questions.leaderboard(run, by="-size")]
    assert sizes == sorted(sizes)
    with pytest.raises(UserError, match="--by speed: expected a metric of combined_score, size"):
        questions.leaderboard(run, by="speed")


def test_no_program_beats_one_of_the_front(finished: tuple[Run, State]) -> None:
    run, _ = finished
    front = {row["id"] for row in questions.pareto(run, "combined_score", "size")}
    points = {row["id"]: _point(row) for row in questions.ranked(facts(run))}
    on_front = {points[program] for program in front}
    for mine in points.values():
        beaten = any(
            mine != other and other[0] >= mine[0] and other[1] >= mine[1] for other in points.values()
        )
        assert (mine in on_front) == (not beaten)


def _point(row: Fact) -> tuple[float, float]:
    return row["metrics"]["combined_score"], row["metrics"]["size"]


def test_cells_are_the_archive(finished: tuple[Run, State]) -> None:
    run, held = finished
    found = questions.cells(run)
    assert {tuple(row["cell"]): row["id"] for row in found} == {
        cell: key[-1] for cell, key in held.population.archive_cells.items()
    }
    for row in found:
        low, high = row["bounds"]["size"]
        value = held.outcomes[row["iteration"]].metrics["size"]
        assert low is None or low <= value
        assert high is None or value < high


def test_failures_and_operators_add_up(finished: tuple[Run, State]) -> None:
    run, held = finished
    assert {row["kind"]: row["count"] for row in questions.failures(run)} == dict(held.failures)
    (walk,) = questions.operators(run)
    assert (walk["name"], walk["tries"]) == ("walk", 30)
    scored = [row for row in facts(run) if row["iteration"] and row["status"] == "scored"]
    gains = []
    for row in scored:
        parent = held.iterations[row["parents"][0]]
        gains.append(row["fitness"] - held.outcomes[parent].metrics["combined_score"])
    assert walk["mean_gain"] == pytest.approx(sum(gains) / len(gains))
    assert walk["successes"] == sum(gain > 0 for gain in gains)


def test_a_lineage_leads_from_the_initial_program_and_its_gains_add_up(finished: tuple[Run, State]) -> None:
    run, held = finished
    best = held.population.best()[0]
    steps = single.lineage(run, best.id[:10])
    assert (steps[0]["iteration"], steps[-1]["id"]) == (0, best.id)
    total = sum(step["gain"] for step in steps[1:])
    assert total == pytest.approx(steps[-1]["fitness"] - steps[0]["fitness"])
    for before, after in pairwise(steps):
        assert held.programs[after["iteration"]].parent_ids[0] == before["id"]


def test_a_program_its_code_and_its_diff(finished: tuple[Run, State]) -> None:
    run, held = finished
    best = held.population.best()[0].program
    found = single.show(run, str(best.iteration))
    assert (found["id"], found["code"]) == (best.id, best.code)
    assert found["choice"]["parent"] == best.parent_ids[0]
    lines = single.diff(run, best.id)["diff"].splitlines()
    assert f"+{best.code.strip()}" in lines
    assert single.diff(run, best.id, best.id)["diff"] == ""
    assert [row["iteration"] for row in questions.search(run, best.code.strip())][:1] == [best.iteration]


@pytest.mark.parametrize("name", ["zzz", "", "999"])
def test_an_id_that_is_none(finished: tuple[Run, State], name: str) -> None:
    with pytest.raises(UserError, match="expected an iteration from 0 to 30 or the beginning"):
        iteration_of(finished[0], name)


def test_an_id_that_is_several(hostile: Run) -> None:
    with pytest.raises(UserError, match="expected the beginning of one id, found 6"):
        iteration_of(hostile, "0000000")


def test_a_running_and_a_killed_run(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    running = read_run(str(tmp_path / "out"))
    assert questions.standing(running) == "running"
    process.kill()
    process.wait()
    killed = read_run(str(tmp_path / "out"))
    assert questions.standing(killed).startswith("cut off")
    answer = questions.status(killed)
    assert answer["done"] >= 3
    assert answer["best"]["id"] == killed.state.population.best()[0].id
    for text in _texts(killed):
        assert text


def test_reading_changes_nothing(finished: tuple[Run, State]) -> None:
    run, _ = finished
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.rglob("*")}
    for _ in _texts(read_run(str(run.folder))):
        pass
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.rglob("*")} == before


def test_why_a_cell_is_held(finished: tuple[Run, State]) -> None:
    """The last program that took a cell is the one that holds it."""
    run, held = finished
    took: dict[str, int] = {}
    for iteration in held.committed:
        words = single.details(run, iteration)["archive"]
        if words.startswith("took cell "):
            took[words.removeprefix("took ").split(",")[0].split(" from")[0]] = iteration
        elif words:
            assert words.endswith("which is better")
        else:
            assert not held.outcomes[iteration].evaluated
    assert took == {
        "cell " + " · ".join(map(str, cell)): held.iterations[key[-1]]
        for cell, key in held.population.archive_cells.items()
    }


def test_every_program_was_drawn_and_ended_somehow(finished: tuple[Run, State]) -> None:
    run, held = finished
    made = decisions(run)
    kinds = Counter(row["kind"] for row in made)
    assert kinds["drawn"] == 30
    assert kinds["failed"] == held.failures.total()
    ends = [row["iteration"] for row in made if row["kind"] in ("kept", "set aside", "copy", "failed")]
    assert sorted(ends) == sorted(held.committed)
    assert decisions(run, last=2) == [row for row in made if row["iteration"] in (29, 30)]
    assert decisions(run, "7") == [row for row in made if row["iteration"] == 7]


def test_what_a_proposal_was_made_from(finished: tuple[Run, State], hostile: Run) -> None:
    run, held = finished
    answer = single.context(run, "7")
    assert answer["parent"]["id"] == held.choices[7].parent
    assert [row["id"] for row in answer["top"]] == list(held.choices[7].top)
    assert single.context(hostile, "1")["prompt"][0]["content"].startswith("prompt ")
    with pytest.raises(UserError, match="0: expected a program that was proposed"):
        single.context(run, "0")


def test_questions_in_sql(finished: tuple[Run, State], tmp_path: Path) -> None:
    run, held = finished
    counted = sql(run, "SELECT status, count(*) AS n FROM programs GROUP BY status ORDER BY status")
    expected = Counter(row["status"] for row in facts(run))
    assert counted == [{"status": status, "n": expected[status]} for status in sorted(expected)]
    (best,) = sql(run, "SELECT max(value) AS best FROM measurements WHERE metric = 'combined_score'")
    assert best["best"] == held.population.best()[0].metrics["combined_score"]
    other = tmp_path / "other.db"
    for question in ("", "DELETE FROM programs", f"ATTACH '{other}' AS other", "SELECT nothing FROM programs",
                     "PRAGMA user_version = 1", "SELECT 1; SELECT 2"):  # fmt: skip
        if question:
            with pytest.raises(UserError, match=r"expected a SELECT over programs\(iteration, "):
                sql(run, question)
    assert not other.exists()


def test_nothing_of_the_test_split_is_told(hostile: Run) -> None:
    told = json.dumps([questions.leaderboard(hostile), single.show(hostile, "1"), questions.cells(hostile)])
    assert "0.987654" in hostile.journal.read_text(errors="replace")
    assert "0.987654" not in told
    assert "0.999" not in told
    with pytest.raises(UserError, match="found none of that name"):
        questions.leaderboard(hostile, by="mean_test_auc")


def test_hostile_texts_reach_no_terminal(hostile: Run) -> None:
    for text in _texts(hostile):
        assert not set(text) & set("\x1b\x9b\x07\u202e")
        assert "owned" not in text
        text.encode("utf-8")


@given(st.text(alphabet=st.sampled_from("\x1b[]0;m\x07\x9b\x9c\\P^_31Jax\r\n\t\u202e\ud800\x90")))
def test_cleaned_text_holds_no_control(text: str) -> None:
    cleaned = clean(text)
    assert not [c for c in cleaned if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0]
    assert clean(cleaned) == cleaned
    assert "\n" not in one_line(text)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.2)), min_size=3, max_size=30))
def test_shrinkage_moves_towards_the_mean_and_never_past_it(pairs: list[tuple[float, float]]) -> None:
    values, errors = [value for value, _ in pairs], [error for _, error in pairs]
    found = shrunk(values, errors)
    centres = []
    for value, error, estimate in zip(values, errors, found, strict=True):
        assert min(values) - 1e-9 <= estimate.mean <= max(values) + 1e-9
        assert 0 < estimate.sd <= error + 1e-12
        centres.append((value, estimate.mean))
    for (value, mean), (other, other_mean) in combinations(centres, 2):
        assert abs(mean - other_mean) <= abs(value - other) + max(errors)  # nothing is blown up


def test_luck_of_the_best_is_that_of_normal_errors() -> None:
    """Tabulated expectations of the largest of n standard normals (Harter, 1961)."""
    for count, expected in [(2, 0.5642), (5, 1.1630), (10, 1.5388), (100, 2.5076)]:
        assert luck_of_the_best(count, 1.0) == pytest.approx(expected, abs=0.03)
    assert luck_of_the_best(1, 1.0) == 0.0


def _texts(run: Run) -> Iterator[str]:
    yield tables.status(questions.status(run))
    yield tables.ranking(questions.leaderboard(run))
    yield tables.ranking(questions.pareto(run))
    yield tables.cells(questions.cells(run))
    yield tables.failures(questions.failures(run))
    yield tables.operators(questions.operators(run))
    yield tables.decisions(decisions(run))
    yield tables.cost(questions.cost(run))
    yield tables.matches(questions.search(run, "x"))
    for iteration in run.state.programs:
        yield texts.program(single.show(run, str(iteration)))
        yield texts.lineage(single.lineage(run, str(iteration)))
        yield clean(single.diff(run, str(iteration))["diff"]) or "no difference"
