"""Every preset from end to end: killed and resumed it ends as if undisturbed, and it can be replayed."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from openevolve.proposing.edits.fences import fenced_blocks
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
    varied,
    write_problem,
)

Answer = Callable[[Messages, random.Random], str]


def rewritten_block(messages: Messages, rng: random.Random) -> str:
    """The last block that a request shows before its rules, with another number; now and then prose."""
    blocks = fenced_blocks(messages[1]["content"])
    if len(blocks) < 2 or rng.random() < 0.1:
        return "Alter the block so that it becomes better."
    return f"Another number.\n\n```python\n{varied(blocks[-2].text, rng)}```\n"


ANSWERS: dict[str, Answer] = {"guided-evolution": rewritten_block}
USUAL: Answer = child_of_the_first_block


@pytest.mark.parametrize("preset", ["medevonet", "evoprompting", "guided-evolution", "evolyth"])
def test_killed_resumed_and_replayed(preset: str, tmp_path: Path) -> None:
    overrides = [
        f"search.preset={preset}", "max_iterations=16", "database.num_islands=1", "prompt.num_tried=4",
        *(["search.operators=[explore, refine, mate]"] if preset == "medevonet" else []),
    ]  # fmt: skip
    problem, whole, broken = tmp_path / "problem", tmp_path / "whole", tmp_path / "broken"
    write_problem(problem)  # one for all runs: messages of failures, which prompts quote, hold its path
    with ReplyServer([Keyed(ANSWERS.get(preset, USUAL))]) as server:
        evolve(problem, server, overrides)
        keep(problem, whole)
        kill_after(problem, server, overrides, lines=26)
        evolve(problem, server, overrides)
        keep(problem, broken)
    assert story(broken) == story(whole)
    assert sorted(story(whole)) == list(range(17))
    assert any(
        event["event"] == "measured" and event["iteration"] and not event["outcome"]["failure"]
        for event in events(whole)
    )
    result = replayed(problem, whole, overrides)
    assert timeless(events(problem)) == timeless(events(whole))
    assert result.state.choices == replay(whole / "out/journal.jsonl").choices


def test_evoprompting_draws_a_temperature_for_each_call_and_tells_a_target(tmp_path: Path) -> None:
    write_problem(tmp_path)
    with ReplyServer([Keyed(USUAL)]) as server:
        evolve(tmp_path, server, ["search.preset=evoprompting", "max_iterations=14"])
        asked = [request.json for request in server.requests]
    assert len({request["temperature"] for request in asked}) > 1
    assert {request["temperature"] for request in asked} <= {0.2, 0.6, 0.8, 1.0}
    assert all("'param_count': " in request["messages"][1]["content"] for request in asked)
    chosen = [event["choice"] for event in events(tmp_path) if event["event"] == "selected"]
    fresh = [c for c in chosen if c["rule"] == "fittest"]
    drawn = [name for choice in fresh for name in (choice["parent"], *choice["inspirations"])]
    assert len(set(drawn)) == len(drawn) > 1
