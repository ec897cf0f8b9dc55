"""The scratchpad: rewritten every so many outcomes, shown in later prompts, kept over a kill."""

import random
from pathlib import Path

from openevolve.state.replay import replay
from tests.support.keyed_model import Keyed, Messages
from tests.support.llm_server import ReplyServer
from tests.support.preset_runs import (
    child_of_the_first_block,
    events,
    evolve,
    keep,
    kill_after,
    replayed,
    story,
    timeless,
    write_problem,
)

OVERRIDES = ["reflection=scratchpad", "strategies.scratchpad.every=4", "max_iterations=12"]


def answer(messages: Messages, rng: random.Random) -> str:
    """A number for each scratchpad, so that it can be told from others."""
    if "# The scratchpad so far" in messages[1]["content"]:
        return f"Wider helps.\nNote {rng.randrange(10**6)}."
    return child_of_the_first_block(messages, rng)


def test_it_is_rewritten_shown_and_kept(tmp_path: Path) -> None:
    problem, whole, broken = tmp_path / "problem", tmp_path / "whole", tmp_path / "broken"
    write_problem(problem)
    with ReplyServer([Keyed(answer)]) as server:
        evolve(problem, server, OVERRIDES)
        keep(problem, whole)
        kill_after(problem, server, OVERRIDES, lines=26)
        evolve(problem, server, OVERRIDES)
        keep(problem, broken)
    assert story(broken) == story(whole)
    reviews = [event for event in events(whole) if event["event"] == "reviewed"]
    assert [event["iteration"] for event in reviews] == [4, 8, 12]
    assert replay(whole / "out/journal.jsonl").beliefs == [reviews[-1]["belief"]]
    asked = {
        (event["iteration"], event["purpose"]): event["messages"][1]["content"]
        for event in events(whole) if event["event"] == "replied"
    }  # fmt: skip
    assert reviews[0]["belief"] in asked[(8, "review")]
    assert all(f"| {i} | " in asked[(8, "review")] for i in (5, 6, 7, 8))
    shown = [i for i in range(1, 13) if reviews[0]["belief"] in asked[(i, "proposal")]]
    assert shown == [5, 6, 7, 8]
    replayed(problem, whole, OVERRIDES)
    assert timeless(events(problem)) == timeless(events(whole))
