"""Reviews: recorded once, shown to later proposals, never the reason why a run fails."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal, Usage
from openevolve.reflection.reviewer import LLMReviewer, NoReflection
from openevolve.settings.files import load_config
from openevolve.state.journal import read_journal
from openevolve.testing.reflections import ReflectionContract
from tests.support.scripted import RandomWalk, make_run, settings, story


class TestContract(ReflectionContract):
    strategy = LLMReviewer

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        refused = CompletionFailed("no answer", (Attempt("critic", 0.0, "refused"),))
        answers: list[str | Exception] = [f"  note {rng.random()}\n\nin two parts ", "shorter", refused]
        return rng.choice(answers)


class TestContractOfNone(ReflectionContract):
    strategy = NoReflection


class Critic:
    """Answers every second request, and counts them."""

    def __init__(self) -> None:
        self.requests: list[Sequence[Message]] = []

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        self.requests.append(messages)
        attempts = (Attempt("critic", 0.0, "ok", Usage(10, 5, 0.01)),)
        if len(self.requests) % 2 == 0:
            raise CompletionFailed("no answer", attempts)
        return Completion(f"note {len(self.requests)}", "critic", attempts)

    async def close(self) -> None:
        """Nothing is open."""


class Watcher(RandomWalk):
    """A proposer that remembers the reviews it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: set[str] = set()

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        for elite in (context.parent, *context.top, *context.inspirations):
            if "review" in elite.artifacts:
                self.shown.add(elite.artifacts["review"])
        return await super().propose(context, desk)


def run_reviewed(folder: Path, critic: Critic, watcher: Watcher, *overrides: str) -> Result:
    config = settings("max_iterations=12", *overrides)
    run = replace(make_run(folder, config, watcher), reflection=LLMReviewer(critic, config))
    return execute(run, PlainDisplay())


def test_reviews_are_recorded_counted_and_shown(tmp_path: Path) -> None:
    critic, watcher = Critic(), Watcher()
    result = run_reviewed(tmp_path, critic, watcher)
    reviewed = [e for e in read_journal(tmp_path / "out/journal.jsonl") if e["event"] == "reviewed"]
    scored = sum(outcome.evaluated for i, outcome in result.state.outcomes.items() if i > 0)
    assert result.completed
    assert len(reviewed) == len(critic.requests) == scored
    assert {event["problem"] for event in reviewed} == {"", "no answer"}
    assert result.state.usage == Usage(10 * scored, 5 * scored, result.state.usage.cost)
    assert watcher.shown
    assert watcher.shown <= {event["text"] for event in reviewed}
    assert all("combined_score" in request[1]["content"] for request in critic.requests)


def test_a_resumed_run_asks_for_no_review_twice(tmp_path: Path) -> None:
    first = run_reviewed(tmp_path, Critic(), Watcher())
    critic = Critic()
    again = run_reviewed(tmp_path, critic, Watcher())
    assert critic.requests == []
    assert story(again) == story(first)


def test_reviewers_are_models_of_their_own() -> None:
    config = load_config(
        None, ["llm.primary_model=writer", "llm.evaluator_models=[{name: critic}]", "llm.timeout=9"]
    )
    assert [model.name for model in config.llm.ensemble()] == ["writer"]
    assert [(model.name, model.timeout) for model in config.llm.reviewers().ensemble()] == [("critic", 9)]
