"""Reviewers whose ideas are queued: the heuristic one and an external command."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest

from openevolve.llm.base import Message
from openevolve.records.program import Elite, Failure, FailureKind, Outcome, Program
from openevolve.records.review import Review
from openevolve.reflection.command import CommandReviewer
from openevolve.reflection.heuristic import HeuristicReviewer
from openevolve.reflection.reviewer import ReviewsFailures
from openevolve.settings.files import load_config
from openevolve.testing.desks import TestModel, recorded_calls
from openevolve.testing.reflections import CHILD, PARENT, ReflectionContract

REVIEW = {
    "valid": True,
    "observation": "It scores higher.",
    "next_belief": "Larger X helps.",
    "recommended_next_mutations": [
        {"mutation_type": "refine", "description": "X = 3", "expected_benefit": "more", "priority": 0.7},
        {"description": "X = 9", "priority": 7},
        {"mutation_type": "empty"},
        "no idea",
    ],
}


class TestHeuristic(ReflectionContract):
    strategy = HeuristicReviewer


class TestCommand(ReflectionContract):
    strategy = CommandReviewer
    settings = ("strategies.command.review=reviewer",)

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        return rng.choice([json.dumps(REVIEW), "{}", '{"observation": 3}', "[]"])


def heuristic(child: float, parent: float, error: float = 0.0) -> Review:
    reviewer = HeuristicReviewer(load_config(None, []))
    pair = [
        Elite(e.program, {"combined_score": score, "combined_score_se": error})
        for e, score in ((CHILD, child), (PARENT, parent))
    ]
    return asyncio.run(reviewer.review(pair[0], pair[1], recorded_calls([], "review")))


def ideas(review: Review) -> list[tuple[str, float, str]]:
    return [(idea.type, idea.priority, idea.parent) for idea in review.ideas]


def test_what_helped_is_refined_and_shrunk_and_what_did_not_is_left() -> None:
    assert ideas(heuristic(0.6, 0.5)) == [("refine", 0.75, "p1"), ("shrink", 0.65, "p1")]
    assert ideas(heuristic(0.5, 0.5)) == ideas(heuristic(0.4, 0.5)) == [("explore", 0.45, "p0")]
    assert heuristic(0.6, 0.5).belief == "x = 2 helped"
    assert heuristic(0.6, 0.5, error=0.1).belief == "x = 2 may have helped, which is within noise"


def test_a_failure_is_to_be_fixed_on_its_parent() -> None:
    failure = Failure(CHILD.program, Outcome("p1", failure=FailureKind.CRASHED, message="half\nof it"))
    reviewer = HeuristicReviewer(load_config(None, []))
    assert isinstance(reviewer, ReviewsFailures)
    found = asyncio.run(reviewer.review_failure(failure, PARENT, recorded_calls([], "review")))
    assert ideas(found) == [("fix", 0.9, "p0")]
    assert found.ideas[0].description == "x = 2: crashed: half"


def test_a_commands_review() -> None:
    model = TestModel(lambda messages, rng: "Here it is: " + json.dumps(REVIEW))
    reviewer = CommandReviewer(model, load_config(None, ["prompt.held_out=[test]"]))
    child = Elite(CHILD.program, {**CHILD.metrics, "test_auc": 0.5})
    found = asyncio.run(reviewer.review(child, PARENT, recorded_calls([], "review")))
    assert (found.text, found.belief) == ("It scores higher.", "Larger X helps.")
    assert ideas(found) == [("refine", 0.7, "p1"), ("idea", 0.5, "p1")]
    assert "test_auc" not in model.asked[0][0]["content"]


@pytest.mark.parametrize("kind", [None, FailureKind.TIMEOUT])
def test_a_command_sees_failures_too(kind: FailureKind | None) -> None:
    model = TestModel(lambda messages, rng: json.dumps(REVIEW))
    outcome = Outcome("p1", failure=kind, message="half", rung=0 if kind else 1)
    failure = Failure(Program("p1", "", 1, 0, parent_ids=("p0",)), outcome)
    found = asyncio.run(
        CommandReviewer(model, load_config(None, [])).review_failure(
            failure, PARENT, recorded_calls([], "review")
        )
    )
    told = json.loads(model.asked[0][0]["content"])["child"]
    assert (told["status"], told["message"]) == ("failed" if kind else "rejected", "half")
    assert {idea.parent for idea in found.ideas} == {"p0"}
