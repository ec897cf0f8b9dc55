"""Conversations for tuning: the used reply of each program with a score, the better the more often."""

import json
from pathlib import Path

import pytest

from openevolve.errors import UserError
from openevolve.inspect.reading import read_run
from openevolve.inspect.tuning import as_lines, tuning_set
from tests.support.keyed_model import Keyed
from tests.support.llm_server import ReplyServer
from tests.support.preset_runs import child_of_the_first_block, events, evolve, write_problem


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    write_problem(folder)
    with ReplyServer([Keyed(child_of_the_first_block)]) as server:
        evolve(
            folder, server, ["search.preset=evoprompting", "max_iterations=10", "search.gates=[duplicate]"]
        )
    return folder


def test_each_program_with_a_score_is_there_with_the_reply_that_became_it(finished: Path) -> None:
    scores = {
        event["iteration"]: event["outcome"]["metrics"]["combined_score"]
        for event in events(finished)
        if event["event"] == "measured" and event["iteration"] and event["outcome"]["failure"] is None
    }
    used = {
        event["iteration"]: event["text"]
        for event in events(finished) if event["event"] == "replied" and event["iteration"] in scores
    }  # fmt: skip
    found = tuning_set(read_run(str(finished / "out")), copies=1)
    assert len(scores) > 3
    assert [row["messages"][-1]["content"] for row in found] == [
        used[i] for i in sorted(scores, key=lambda i: (-scores[i], i))
    ]
    assert all([m["role"] for m in row["messages"]][:2] == ["system", "user"] for row in found)
    assert [json.loads(line) for line in as_lines(found).split("\n")] == found


def test_the_better_the_more_often(finished: Path) -> None:
    run = read_run(str(finished / "out"))
    once, often = tuning_set(run, 1), tuning_set(run, 5)
    counts = [often.count(row) for row in once]
    assert counts[0] == 5
    assert counts[-1] == 1
    assert counts == sorted(counts, reverse=True)


def test_what_cannot_be_had_is_said(finished: Path) -> None:
    run = read_run(str(finished / "out"))
    with pytest.raises(UserError, match="expected at least 1, found 0"):
        tuning_set(run, 0)
