"""Language models and proposers for runs whose conversation is what is looked at."""

import asyncio
import random
from collections.abc import Callable, Sequence

from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal, Usage

PAID = Usage(100, 10, 0.25)


class Model:
    """Answers with a rising X; ``fault(n)`` is a status with which the n-th call fails instead."""

    def __init__(self, fault: Callable[[int], str | None] = lambda call: None) -> None:
        self.fault = fault
        self.calls = 0
        self.closed = 0
        self.asked: list[Sequence[Message]] = []

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        self.calls += 1
        self.asked.append(messages)
        status = self.fault(self.calls)
        if status == "silence":
            await asyncio.Event().wait()
        if status is not None:
            raise CompletionFailed(status, (Attempt("model", 0.1, status, PAID),))
        text = f"A step.\n\n```python\nX = {10 + self.calls}.5\n```"
        return Completion(text, "model", (Attempt("model", 0.1, "ok", PAID),))

    async def close(self) -> None:
        self.closed += 1


class Repeating:
    """Proposes what ``code(iteration)`` gives, as often as a gate refuses it."""

    def __init__(self, code: Callable[[int], str], tries: int = 2) -> None:
        self.code = code
        self.tries = tries
        self.refusals: list[str] = []

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        proposal = Proposal(code=self.code(context.iteration), proposer="repeating")
        for _ in range(self.tries):
            if (refusal := desk.refusal(proposal)) is None:
                return proposal
            self.refusals.append(refusal)
        return Proposal(code=None, proposer="repeating", problem=self.refusals[-1])
