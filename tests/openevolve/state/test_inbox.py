"""A person's ideas: given to a run, taken in once, kept over a kill."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.records.idea import Idea
from openevolve.state.inbox import NAME, persons_idea, put, unread
from openevolve.state.replay import replay
from tests.support.keyed_model import Keyed
from tests.support.llm_server import ReplyServer
from tests.support.preset_runs import child_of_the_first_block, events, evolve, write_problem


@given(st.lists(st.text(min_size=1).filter(str.strip)), st.integers(0, 5))
def test_what_is_put_in_is_taken_out_once(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], read: int
) -> None:
    folder = tmp_path_factory.mktemp("inbox")
    given_ideas = [persons_idea(text, 0.5) for text in texts]
    for idea in given_ideas:
        put(folder, idea)
    assert list(unread(folder, read)) == list(enumerate(given_ideas, start=1))[read:]


def test_half_a_line_waits_and_what_is_no_idea_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, Idea("person", "wider"))
    with (tmp_path / NAME).open("a") as file:
        file.write('[]\n{"type": 3}\n{"type": "person", "descr')
    assert [line for line, _ in unread(tmp_path, 0)] == [1]


@pytest.mark.parametrize(("text", "priority"), [("  ", 0.5), ("wider", 2.0), ("wider", float("nan"))])
def test_what_is_no_idea_is_refused(text: str, priority: float) -> None:
    with pytest.raises(UserError, match="expected an idea in words"):
        persons_idea(text, priority)


def openevolve(folder: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("openevolve")), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_idea_is_tried_next_and_shown_to_its_author(tmp_path: Path) -> None:
    write_problem(tmp_path)
    preset = ["search.preset=evolyth", "database.num_islands=1"]
    with ReplyServer([Keyed(child_of_the_first_block)]) as server:
        evolve(tmp_path, server, [*preset, "max_iterations=3"])
        assert "given" in openevolve(tmp_path, "idea", "A wider  body", "out")
        evolve(tmp_path, server, [*preset, "max_iterations=7"])
        asked = [request.json["messages"][1]["content"] for request in server.requests]
    assert any("A wider body" in text and "What is to be tried now" in text for text in asked)
    taken = [event["line"] for event in events(tmp_path) if event["event"] == "idea"]
    assert taken == [1]
    queue = replay(tmp_path / "out/journal.jsonl").ideas
    [idea] = [idea for idea in queue.all.values() if idea.source == "person"]
    assert queue.taken[idea.key] <= 7
    listed = openevolve(tmp_path, "ideas", "out")
    assert "A wider body" in listed
    assert "heuristic reviewer" in listed
