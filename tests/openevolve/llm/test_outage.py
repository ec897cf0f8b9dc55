"""A language model that nobody can reach: waited for once it has answered, and the end of a run where not."""

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from openevolve.errors import RunInterrupted
from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message, ModelUnreachable
from openevolve.llm.outage import OutageWaiting
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal
from openevolve.state.journal import read_journal
from tests.support.scripted import RandomWalk, run_walk, settings


class Scripted:
    """A model that ends each call as scripted: "ok", or the status of its only attempt."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.draws: list[float] = []

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        self.draws.append(rng.random())
        status = self.statuses.pop(0)
        attempts = (Attempt("scripted", 0.1, status),)
        if status != "ok":
            raise CompletionFailed(f"the last was {status}", attempts)
        return Completion("text", "scripted", attempts)

    async def close(self) -> None: ...


def ask(model: OutageWaiting, calls: int = 1, seed: int = 0) -> list[str]:
    """How calls end, one after the other."""

    async def all_of_them() -> list[str]:
        ends = []
        for number in range(calls):
            try:
                completion = await model.complete([], random.Random(seed + number))
            except CompletionFailed as failure:
                ends.append(str(failure))
            else:
                ends.append(" ".join(attempt.status for attempt in completion.attempts))
        return ends

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    "status", ["connection_error", "timeout", "server_error", "rate_limited", "bad_reply"]
)
def test_an_outage_is_waited_out(status: str, caplog: pytest.LogCaptureFixture) -> None:
    model = Scripted("ok", *[status] * 6, "ok", status, "ok")
    with caplog.at_level(logging.WARNING, "openevolve"):
        ends = ask(OutageWaiting(model, patience=60, pause=0.001), calls=6)
    failed = f"the last was {status}"
    assert ends == ["ok", failed, failed, f"{' '.join([status] * 4)} ok", failed, "ok"]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    assert all(line.startswith("the language model does not answer (the last was") for line in lines[:4])
    assert lines[4] == "the language model answers again"


def test_an_outage_that_lasts_too_long_interrupts_the_run() -> None:
    model = Scripted("ok", *["connection_error"] * 50)
    with pytest.raises(RunInterrupted, match=r"again within 0\.05 s \(llm\.patience\), found: the last"):
        ask(OutageWaiting(model, patience=0.05, pause=0.01), calls=10)
    assert len(model.statuses) > 30


@pytest.mark.parametrize("status", ["connection_error", "timeout", "bad_reply"])
def test_a_model_that_never_answered_is_not_waited_for(status: str) -> None:
    model = Scripted(*[status] * 10)
    with pytest.raises(RunInterrupted, match=r"found none to 3 calls \(.*Is the address right"):
        ask(OutageWaiting(model, patience=60), calls=10)
    assert len(model.statuses) == 7


@pytest.mark.parametrize("status", ["server_error", "rate_limited"])
def test_an_overloaded_server_is_one_that_answers(status: str) -> None:
    ends = ask(OutageWaiting(Scripted(*[status] * 5, "ok"), patience=60, pause=0.001), calls=3)
    assert ends[2] == f"{' '.join([status] * 3)} ok"


class Unreachable(RandomWalk):
    """Nobody answers from the fifth proposal on."""

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        if context.iteration >= 5:
            raise ModelUnreachable("nobody answers")
        return await super().propose(context, desk)


@pytest.mark.parametrize("deterministic", ["true", "false"])
def test_evaluations_that_are_running_are_finished_before_an_outage_ends_the_run(
    tmp_path: Path, deterministic: str
) -> None:
    config = settings(f"deterministic={deterministic}", "proposals_ahead=6")
    with pytest.raises(ModelUnreachable, match="nobody answers"):
        run_walk(tmp_path, config, Unreachable())
    events = list(read_journal(tmp_path / "out/journal.jsonl"))
    ended = {event["iteration"] for event in events if event["event"] == "measured"}
    assert ended >= {0, 1, 2}  # two hold a slot when the fifth proposal fails; others wait for one
    resumed = run_walk(tmp_path, config)
    assert resumed.completed
    assert sorted(resumed.state.outcomes) == list(range(31))


@pytest.mark.parametrize("status", ["refused", "empty", "prompt_too_long"])
def test_an_answer_without_a_use_is_an_answer(status: str) -> None:
    ends = ask(OutageWaiting(Scripted(*[status] * 8), patience=60), calls=8)
    assert ends == [f"the last was {status}"] * 8


def test_the_callers_draws_do_not_depend_on_an_outage() -> None:
    draws = []
    for faults in (0, 5):
        model = Scripted("ok", *["timeout"] * faults, "ok", "ok", "ok", "ok")
        rng = random.Random(1)

        async def call(model: Scripted = model, rng: random.Random = rng) -> float:
            patient = OutageWaiting(model, patience=60, pause=0.001)
            await patient.complete([], random.Random(0))
            for _ in range(2):  # those below the threshold fail at once
                try:
                    await patient.complete([], random.Random(0))
                except CompletionFailed:
                    continue
            await patient.complete([], rng)
            return rng.random()

        draws.append(asyncio.run(call()))
        assert len(set(model.draws[3:])) == (len(model.draws[3:]) if faults else 1)  # others are asked, too
    assert draws[0] == draws[1]
