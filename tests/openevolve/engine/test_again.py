"""A further measurement that a person asks for: beside the search, and no part of it."""

from pathlib import Path
from typing import Any

import pytest

from openevolve.errors import UserError
from openevolve.inspect import single, texts
from openevolve.inspect.asking import ask, request
from openevolve.inspect.reading import read_run
from openevolve.search.final import winner_of
from openevolve.state.journal import read_journal
from openevolve.state.replay import replay
from tests.support.finals import EVALUATOR, plan_of, run, start
from tests.support.scripted import settings
from tests.support.walks import wait_for_events


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return folder / "out/journal.jsonl"


def looks(journal: Path, *, asked: bool) -> list[dict[str, Any]]:
    return [
        event
        for event in read_journal(journal)
        if event["event"] == "looked" and event.get("asked", False) is asked
    ]


@pytest.mark.parametrize(("event", "count", "delay"), [("committed", 4, 0.3), ("looked", 3, 0.0)])
def test_it_is_measured_and_the_search_is_what_it_would_have_been(
    undisturbed: Path, tmp_path: Path, event: str, count: int, delay: float
) -> None:
    journal = tmp_path / "out/journal.jsonl"
    with start(tmp_path, delay) as process:
        wait_for_events(journal, event, count)
        identity = replay(journal).programs[0].id
        assert ask(str(tmp_path / "out"), request("measure", "0")) == f"measure {identity}: taken"
        assert ask(str(tmp_path / "out"), request("measure", identity[:6])).endswith("taken")
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    found = looks(journal, asked=True)
    assert [(each["program_id"], each["unit"]) for each in found] == [
        (identity, unit) for _ in range(2) for unit in ("noisy", "calm")
    ]
    every = [*found, *looks(journal, asked=False)]
    keys = [(each["program_id"], each["unit"], each["repeat"]) for each in every]
    assert len(set(keys)) == len(keys)  # nothing is measured twice
    state, before = replay(journal), replay(undisturbed)
    assert winner_of(state) == winner_of(before)
    assert [state.programs[i].code for i in state.committed] == [
        before.programs[i].code for i in before.committed
    ]
    told = single.show(read_run(str(tmp_path / "out")), "0")
    assert told["again"] == [[each["unit"], each["measurement"]["value"]] for each in found]
    assert "measured again, as somebody asked" in texts.program(told)


def test_what_cannot_be_measured_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="measure: expected a program's id, found nothing"):
        request("measure")
    with start(tmp_path, 0.3) as process:
        wait_for_events(tmp_path / "out/journal.jsonl", "committed", 8)
        with pytest.raises(UserError, match="expected an iteration from 0 to"):
            ask(str(tmp_path / "out"), request("measure", "zzz"))
        with pytest.raises(UserError, match="expected a program with a score, found one that is failed"):
            ask(str(tmp_path / "out"), request("measure", "7"))
        process.terminate()
        process.communicate(timeout=60)


def test_an_evaluator_that_offers_nothing_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from openevolve.commands.display import PlainDisplay
    from openevolve.engine.run import execute
    from openevolve.state.requests import Requests

    alone = EVALUATOR.replace("def units", "def no_units")
    plan = plan_of(tmp_path, settings("max_iterations=3", "evaluator.preload=[random]"), alone)
    first = execute(plan, PlainDisplay())
    identity = first.state.programs[0].id
    Requests(tmp_path / "out/journal.jsonl").put(request("measure", identity))
    Requests(tmp_path / "out/journal.jsonl").put(request("measure", "nobody"))
    longer = plan_of(tmp_path, settings("max_iterations=5", "evaluator.preload=[random]"), alone)
    assert execute(longer, PlainDisplay()).reason == "completed"
    assert f"measure {identity}: " in caplog.text
    assert "expected functions units() and measure" in caplog.text
    assert "expected a program of this run, found nobody" in caplog.text
