"""The proposer that asks a language model: one retry, everything recorded, failures that cost no run."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from openevolve.errors import UserError
from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message, ProviderRejected
from openevolve.llm.calls import Calls, ProviderFailed
from openevolve.proposing.desk import Desk, Proposer
from openevolve.proposing.llm import LLMProposer
from openevolve.proposing.prompts import build_prompt
from openevolve.records.program import Context, Elite, Program, Proposal, Usage
from openevolve.settings.models import Config, DatabaseConfig, PromptConfig
from openevolve.testing.desks import TestDesk
from openevolve.testing.proposers import ProposerContract
from tests.support.replies import PARENT, block, fence, program

PARENT_ELITE = Elite(Program("p", PARENT, iteration=0, island=0), {"combined_score": 0.5})
GOOD = f"Squares the size of shapes.\n\n{fence(program('Disc'))}"
COST = Usage(prompt_tokens=100, completion_tokens=10, cost=0.25)


class TestContract(ProposerContract):
    strategy = LLMProposer
    parent = PARENT

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        """As models answer: programs, edits, prose, the parent, and nothing."""
        factor = rng.randrange(2, 1000)
        answers: list[str | Exception] = [
            fence(program("Disc", f"{factor} * self.size")),
            block("    return Shape(size)", f"    return Shape({factor} * size)"),
            block("    return Shape(size)", f"    return Shape({factor})"),
            block("    return Square(size)", "    return 1"),
            fence(PARENT),
            "I'm sorry, but I can't.",
            CompletionFailed("the model refuses", (Attempt("scripted", 1.0, "refused", COST),)),
        ]
        return rng.choice(answers)


class Script:
    """A language model that gives the scripted answers in turn and remembers what it was asked."""

    def __init__(self, *answers: str | Exception, status: str = "ok") -> None:
        self.status = status
        self.answers = list(answers)
        self.asked: list[list[Message]] = []
        self.draws: list[float] = []

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        self.asked.append(list(messages))
        self.draws.append(rng.random())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Completion(answer, "scripted", (Attempt("scripted", 0.1, self.status, COST),))

    async def close(self) -> None: ...


def context(seed: int = 0) -> Context:
    return Context(iteration=1, island=0, parent=PARENT_ELITE, rng=random.Random(seed))


def propose(model: Script, config: Config | None = None, desk: Desk | None = None) -> Proposal:
    proposer: Proposer = LLMProposer(model, config or Config())
    return asyncio.run(proposer.propose(context(), desk or TestDesk()))


def test_a_whole_program() -> None:
    model, desk = Script(GOOD), TestDesk()
    proposal = propose(model, desk=desk)
    assert proposal.code == program("Disc")
    assert proposal.proposer == "llm/full rewrite"
    assert proposal.changes == "Squares the size of shapes."
    assert proposal.problem == ""
    assert proposal.model == "scripted"
    (replied,) = desk.events
    assert (replied["event"], replied["text"], replied["model"]) == ("replied", GOOD, "scripted")
    assert replied["messages"] == model.asked[0] == build_prompt(context(), Config())
    assert replied["usage"] == asdict(COST)


def test_an_edit() -> None:
    proposal = propose(Script(block("    return Shape(size)", "    return Shape(2 * size)")))
    assert proposal.code == PARENT.replace("Shape(size)", "Shape(2 * size)")
    assert proposal.proposer == "llm/diff"


def test_a_reply_without_a_program_is_sent_back_once() -> None:
    wrong = block("return Square(size)", "return 1")
    model, desk = Script(wrong, GOOD), TestDesk()
    proposal = propose(model, desk=desk)
    assert proposal.code == program("Disc")
    assert proposal.problem == ""
    assert [event["text"] for event in desk.events] == [wrong, GOOD]
    assert [event["attempts"][0]["status"] for event in desk.events] == ["ok", "ok"]
    *_, reply, request = model.asked[1]
    assert reply == {"role": "assistant", "content": wrong.strip()}
    assert "block 1 of 1: the SEARCH text was not found" in request["content"]
    assert desk.events[1]["messages"] == model.asked[1]


def test_what_a_gate_refuses_is_sent_back_with_the_reason() -> None:
    model = Script(GOOD, fence(program("Ring")))
    desk = TestDesk(refuse=lambda proposal: "tried before" if "Disc" in (proposal.code or "") else None)
    proposal = propose(model, desk=desk)
    assert proposal.code == program("Ring")
    assert "tried before" in model.asked[1][-1]["content"]


def test_what_a_gate_refuses_twice_is_no_program() -> None:
    proposal = propose(Script(GOOD, GOOD), desk=TestDesk(refuse=lambda proposal: "tried before"))
    assert (proposal.code, proposal.problem) == (None, "tried before")


def test_an_answer_on_record_is_not_asked_for_again() -> None:
    first = TestDesk()
    propose(Script("Done", GOOD), desk=first)
    model = Script()
    calls = Calls(1, "proposal", lambda name, **content: None, lambda use: random.Random(0), first.events)
    proposal = propose(model, desk=Desk(calls, lambda proposal: None))
    assert proposal.code == program("Disc")
    assert model.asked == []


def test_two_replies_without_a_program_end_the_proposal() -> None:
    model, desk = Script("I'm sorry, but I can't.", fence(PARENT), GOOD), TestDesk()
    proposal = propose(model, desk=desk)
    assert proposal.code is None
    assert "found the parent again" in proposal.problem
    assert len(desk.events) == len(model.asked) == 2


def test_a_refused_request_is_recorded_with_its_cost() -> None:
    attempts = (Attempt("a", 1.0, "timeout"), Attempt("b", 2.0, "refused", COST))
    desk = TestDesk()
    proposal = propose(Script(CompletionFailed("the model refuses", attempts)), desk=desk)
    assert proposal.code is None
    assert proposal.problem == "the model refuses"
    (replied,) = desk.events
    assert (replied["text"], replied["problem"]) == (None, "the model refuses")
    assert replied["usage"] == asdict(COST)
    assert json.loads(json.dumps(replied["attempts"])) == [asdict(attempt) for attempt in attempts]


def test_an_outage_speaks_against_no_idea() -> None:
    attempts = (Attempt("a", 1.0, "timeout"), Attempt("b", 2.0, "server_error", COST))
    desk = TestDesk()
    with pytest.raises(ProviderFailed, match="no reply within 3 s"):
        propose(Script(CompletionFailed("no reply within 3 s", attempts)), desk=desk)
    (failed,) = desk.events
    assert (failed["event"], failed["usage"]) == ("provider_failed", asdict(COST))


def test_a_request_that_is_refused_at_the_retry_keeps_both_problems() -> None:
    attempts = (Attempt("scripted", 1.0, "prompt_too_long", COST),)
    proposal = propose(Script("Done", CompletionFailed("the prompt is too long", attempts)))
    assert proposal.code is None
    assert "without code: 'Done'; asked again: the prompt is too long" in proposal.problem


def test_a_reply_that_was_cut_off_is_never_used() -> None:
    model = Script(GOOD, GOOD, status="truncated")
    proposal = propose(model)
    assert proposal.code is None
    assert "cut off at 8192 tokens" in proposal.problem
    assert "cut off at 8192 tokens" in model.asked[1][-1]["content"]


def test_a_rejection_by_the_provider_stops_the_run() -> None:
    with pytest.raises(ProviderRejected, match="wrong key"):
        propose(Script(ProviderRejected("wrong key")))


def test_limits_come_from_the_config() -> None:
    proposal = propose(Script(GOOD, GOOD), Config(max_code_length=100))
    assert "at most 100 characters" in proposal.problem


def test_settings_are_checked_before_the_first_call() -> None:
    database, prompt = DatabaseConfig(fitness_metric="test_auc"), PromptConfig(held_out=["test"])
    with pytest.raises(UserError, match="test_auc"):
        LLMProposer(Script(), Config(database=database, prompt=prompt))


def test_equal_contexts_give_equal_proposals() -> None:
    models = [Script("Done", GOOD) for _ in range(2)]
    random.seed(1)
    first = propose(models[0])
    random.seed(2)
    assert propose(models[1]) == first
    assert models[0].draws == models[1].draws


def test_recorded_replies_of_a_search(replies_dir: Path) -> None:
    parent = Elite(Program("p", program("Net").replace("build", "create_model"), 0, 0), {})
    replies = [path.read_text(encoding="utf-8") for path in sorted((replies_dir / "good").glob("*.md"))]
    proposer = LLMProposer(Script(*replies), Config())
    for iteration in range(len(replies)):
        shown = Context(iteration, island=0, parent=parent, rng=random.Random(iteration))
        desk = TestDesk(iteration)
        proposal = asyncio.run(proposer.propose(shown, desk))
        assert proposal.code is not None
        assert len(desk.events) == 1
