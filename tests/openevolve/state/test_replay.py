"""The fold: what a reader rebuilds from a journal is what the run itself held."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.state.__main__ import description
from openevolve.state.journal import encode, read_journal
from openevolve.state.replay import Follower, fold, replay
from openevolve.state.state import State
from tests.support import scripted
from tests.support.walks import start, wait_for_lines


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    """The journal of a run, and the state that the run itself held at its end."""
    folder = tmp_path_factory.mktemp("finished")
    result = scripted.run_walk(folder, scripted.settings("evaluator.parallel_evaluations=1"))
    return folder / "out" / "journal.jsonl", result.state


def test_a_finished_run(finished: tuple[Path, State]) -> None:
    journal, held = finished
    state = replay(journal)
    assert description(state) == description(held)
    assert state.outcomes == held.outcomes
    assert state.choices == held.choices
    assert state.usage == held.usage


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 400), max_size=6))
def test_following_is_replaying(finished: tuple[Path, State], tmp_path: Path, cuts: list[int]) -> None:
    """Wherever a reader looks, also within a line, it ends with what one look at the end gives."""
    whole = finished[0].read_bytes()
    growing = tmp_path / "journal.jsonl"
    growing.write_bytes(b"")
    follower = Follower(growing)
    for cut in sorted(cuts):
        growing.write_bytes(whole[: cut * len(whole) // 400])
        follower.advance()
    growing.write_bytes(whole)
    follower.advance()
    assert description(follower.state) == description(finished[1])
    assert follower.advance() == []


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10_000))
def test_every_prefix_has_a_state(finished: tuple[Path, State], count: int) -> None:
    """A killed run is a prefix: its state exists, and going on from it gives that of the whole."""
    events = list(read_journal(finished[0]))
    count = min(count, len(events))
    state = State()
    fold(state, events[:count])
    before = json.dumps(description(state))
    again = State()
    fold(again, events[:count])
    assert json.dumps(description(again)) == before
    fold(state, events[count:], count + 1)
    assert description(state) == description(finished[1])


def test_a_killed_run_is_rebuilt_and_ends_as_it_would_have(
    finished: tuple[Path, State], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_for_lines(tmp_path / "out/journal.jsonl", 30)
    process.kill()
    process.wait()
    killed = replay(tmp_path / "out/journal.jsonl")
    assert 0 < len(killed.committed) < 31
    assert killed.finished is None
    result = scripted.run_walk(tmp_path, scripted.settings())
    assert description(replay(tmp_path / "out/journal.jsonl")) == description(result.state)
    same = ("archive", "islands", "best", "failures")
    ours, theirs = description(result.state), description(finished[1])
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}


def test_the_command_prints_the_same(finished: tuple[Path, State]) -> None:
    journal, held = finished
    done = subprocess.run(
        [sys.executable, "-m", "openevolve.state", str(journal.parent)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == json.loads(json.dumps(description(held)))


def test_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "openevolve.state", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}: expected a run's folder or its journal.jsonl")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            {"event": "danced", "elapsed": 0.0},
            "line 1: expected an event of journal version 2, found 'danced'",
        ),
        (
            {"event": "run_started", "elapsed": 0.0, "initial_code": "", "settings": {}},
            "line 1: expected a journal of version 2, found one of version 1",
        ),
        ({"event": "committed", "elapsed": 0.0, "iteration": 3}, "line 1: expected an event of this version"),
    ],
)
def test_events_of_other_versions_are_refused(tmp_path: Path, event: dict[str, object], message: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(encode(event))
    with pytest.raises(UserError, match=message):
        replay(path)
