"""A run that is asked to pause, go on, stop or change a limit while it runs."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.inspect import questions
from openevolve.inspect.asking import ask, request
from openevolve.inspect.reading import read_run
from openevolve.records.request import Request, Wish
from openevolve.settings.models import Config
from openevolve.state.journal import Event, read_journal
from openevolve.state.requests import LIMITS, Requests, limited
from tests.support.scripted import run_walk, settings, story
from tests.support.walks import finished, start, wait_for_events


def events(folder: Path) -> list[Event]:
    return list(read_journal(folder / "out/journal.jsonl"))


def test_paused_it_begins_nothing_and_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    undisturbed = run_walk(tmp_path / "undisturbed", settings("deterministic=true"))
    process = start(tmp_path, "deterministic=true")
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    assert ask(str(tmp_path / "out"), request("pause")) == "pause: taken"
    while read_run(str(tmp_path / "out")).state.measuring:
        time.sleep(0.05)  # what was running goes on
    quiet = len(events(tmp_path))
    assert questions.standing(read_run(str(tmp_path / "out"))) == "running, paused"
    time.sleep(1.5)
    assert len(events(tmp_path)) == quiet
    assert ask(str(tmp_path / "out"), request("resume")) == "resume: taken"
    assert process.wait() == 0
    asked = [event["request"]["what"] for event in events(tmp_path) if event["event"] == "asked"]
    assert asked == ["pause", "resume"]
    assert story(run_walk(tmp_path, settings("deterministic=true"))) == story(undisturbed)


def test_stopped_it_finishes_what_runs_and_can_be_resumed(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    ask(str(tmp_path / "out"), request("stop"))
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "stopped at a request"
    assert len(run_walk(tmp_path, settings()).state.outcomes) == 31


def test_stopped_while_it_is_paused(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 2)
    ask(str(tmp_path / "out"), request("pause"))
    ask(str(tmp_path / "out"), request("stop"))
    assert process.wait(timeout=60) == 0
    assert questions.standing(read_run(str(tmp_path / "out"))) == "stopped at a request"


def test_another_number_of_iterations(tmp_path: Path) -> None:
    process = start(tmp_path, "max_iterations=1000")
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    ask(str(tmp_path / "out"), request("limit", "max_iterations=12"))
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "completed"
    run = read_run(str(tmp_path / "out"))
    assert run.state.config.max_iterations == 12
    assert 13 <= len(run.state.outcomes) < 200


def test_a_budget(tmp_path: Path) -> None:
    process = start(tmp_path, "max_iterations=1000")
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    ask(str(tmp_path / "out"), request("limit", "budget.evaluations=8"))
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1].startswith("budget.evaluations reached: ")


def test_what_is_no_request_is_dropped_and_harms_nothing(tmp_path: Path) -> None:
    requests = Requests(tmp_path / "out/journal.jsonl")
    requests.folder.mkdir(parents=True)
    for number, text in enumerate(["", "{}", "[]", "{\"what\": \"explode\"}", "\ud800", "9" * 5000,
                                   '{"what": "limit", "key": "llm.api_key", "value": 1}']):  # fmt: skip
        (requests.folder / f"{number}.json").write_text(text, errors="surrogatepass")
    assert finished(tmp_path, "max_iterations=3") == tmp_path / "out"
    assert list(requests.folder.iterdir()) == []
    assert [event for event in events(tmp_path) if event["event"] == "asked"] == []


def test_nobody_runs_it(tmp_path: Path) -> None:
    finished(tmp_path, "max_iterations=2")
    with pytest.raises(UserError, match="expected a run that is running, found no process that writes it"):
        ask(str(tmp_path / "out"), request("pause"))
    assert not (tmp_path / "out/requests").exists()


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "max_iterations",
        "max_iterations=many",
        "max_iterations=-1",
        "max_iterations=1.5",
        "max_iterations=inf",
        "llm.api_key=1",
        "budget.hours=0",
        "budget.hours=nan",
    ],
)
def test_limits_that_are_none(setting: str) -> None:
    with pytest.raises(UserError, match="limit: "):
        request("limit", setting)
    with pytest.raises(UserError, match="pause: expected nothing more"):
        request("pause", "now")


@given(st.sampled_from(LIMITS), st.integers(1, 10**6))
def test_a_limit_changes_itself_alone(key: str, value: int) -> None:
    before = Config()
    after = limited(before, Request(Wish.LIMIT, key, float(value)))
    changed = before.model_dump()
    section, _, name = key.rpartition(".")
    (changed[section] if section else changed)[name] = value
    assert after.model_dump() == changed
    assert Request.from_json(Request(Wish.LIMIT, key, float(value)).to_json()) == Request(
        Wish.LIMIT, key, float(value)
    )
