"""Programs of an external command: its contract, a second request, a reviewer before the measurement."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest

from openevolve.errors import UserError
from openevolve.llm.base import CompletionFailed, Message
from openevolve.proposing.command import CommandProposer
from openevolve.proposing.no_op import NoOp
from openevolve.records.idea import Idea
from openevolve.records.program import Context, Elite, Program, Proposal
from openevolve.settings.commands import CommandSettings
from openevolve.settings.files import load_config
from openevolve.testing.desks import TestDesk, TestModel, unasked
from openevolve.testing.proposers import ProposerContract
from tests.support.replies import PARENT, program


def answer(code: str, summary: str = "Discs.", kind: str = "safe_refinement") -> str:
    return json.dumps({"mutation_type": kind, "mutation_summary": summary, "model_py": code})


class TestContract(ProposerContract):
    strategy = CommandProposer
    settings = ("strategies.command.mutate=worker",)
    parent = PARENT

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        code = program("Disc", f"{rng.randrange(2, 1000)} * self.size")
        failed = CompletionFailed("exit status 1", ())
        useless: list[str | Exception] = [answer(PARENT), "{}", "[]", answer("def (", "x\ny"), failed]
        return rng.choice([answer(code), answer(code), *useless])


def context(**more: object) -> Context:
    elite = Elite(Program("p", PARENT, 1, 0, changes="Squares."), {"combined_score": 0.5, "test_auc": 0.9})
    return Context(2, 0, elite, random.Random(0), **more)  # type: ignore[arg-type]


def propose(model: TestModel, reviewer: TestModel | None = None, shown: Context | None = None) -> Proposal:
    config = load_config(None, ["prompt.held_out=[test]", "prompt.system_message=Larger shapes."])
    proposer = CommandProposer(model, reviewer, config, CommandSettings(mutate="worker"))
    return asyncio.run(proposer.propose(shown or context(), TestDesk()))


def test_what_a_worker_is_told_and_what_comes_of_it() -> None:
    model = TestModel(lambda messages, rng: answer(program("Disc"), "Discs,\n now."))
    idea = Idea("shrink", "Fewer shapes", "speed", source="person")
    found = propose(model, shown=context(idea=idea, beliefs=("Squares help.",)))
    assert (found.code, found.changes, found.proposer) == (
        program("Disc"),
        "Discs, now.",
        "command/safe_refinement",
    )
    [[message]] = model.asked
    asked = json.loads(message["content"])
    assert asked["current_model"] == PARENT
    assert asked["mutable_file"] == "model.py"
    assert asked["idea"]["description"] == "Fewer shapes"
    for words in ("Larger shapes.", "combined_score 0.5", "Squares.", "Fewer shapes", "Squares help."):
        assert words in asked["context"]
    assert "test_auc" not in message["content"]


def test_what_cannot_be_used_is_asked_for_again_with_the_reason() -> None:
    answers = iter([answer(PARENT), answer(program("Disc"))])
    model = TestModel(lambda messages, rng: next(answers))
    assert propose(model).code == program("Disc")
    assert "found the parent again" in json.loads(model.asked[1][0]["content"])["problem"]


def test_a_reviewer_may_refuse_a_child_before_it_is_measured() -> None:
    verdicts = iter(['{"valid": false, "observation": "Too round."}', '{"valid": true}'])
    codes = iter([answer(program("Disc")), answer(program("Ring"))])
    model = TestModel(lambda messages, rng: next(codes))
    reviewer = TestModel(lambda messages, rng: next(verdicts))
    assert propose(model, reviewer).code == program("Ring")
    assert "Too round." in json.loads(model.asked[1][0]["content"])["problem"]
    assert json.loads(reviewer.asked[0][0]["content"])["child"]["code"] == program("Disc")
    assert "test_auc" not in reviewer.asked[0][0]["content"]


def test_a_reviewer_that_fails_refuses_nothing() -> None:
    model = TestModel(lambda messages, rng: answer(program("Disc")))
    broken = TestModel(lambda messages, rng: CompletionFailed("exit status 1", ()))
    assert propose(model, broken).code == program("Disc")
    assert propose(model, TestModel(lambda messages, rng: "no JSON")).code == program("Disc")


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (CommandSettings(), r"strategies\.command\.mutate"),
        (CommandSettings(mutate="w", review_first=True), r"strategies\.command\.review"),
    ],
)
def test_a_command_line_that_is_missing_is_one_clear_error(settings: CommandSettings, missing: str) -> None:
    with pytest.raises(UserError, match=f"{missing}: expected a command line"):
        CommandProposer.build(load_config(None, []), settings, lambda llm: TestModel(unasked))


def test_no_op_gives_the_parent_again() -> None:
    found = asyncio.run(NoOp().propose(context(), TestDesk()))
    assert (found.code, found.problem) == (PARENT, "")
    refused = asyncio.run(NoOp().propose(context(), TestDesk(refuse=lambda proposal: "tried before")))
    assert (refused.code, refused.problem) == (None, "tried before")
