"""What a proposer works with in one iteration: models whose answers are kept, and the gates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openevolve.llm.base import Completion, LanguageModel, Message
from openevolve.llm.calls import Calls
from openevolve.records.program import Context, Proposal


class Proposer(Protocol):
    """Writes one program for one context; every random choice comes from ``context.rng``."""

    async def propose(self, context: Context, desk: "Desk") -> Proposal:
        """A program that no gate refuses. A proposal without code says what was wrong.

        Raises:
            ProviderFailed: the language model cannot be had at present; the iteration is tried again.
            UserError: what no later call can mend.
        """
        ...


@dataclass(frozen=True)
class Desk:
    """A proposer asks models here, and shows what it has before it hands it in."""

    calls: Calls
    refuse: Callable[[Proposal], str | None]

    async def complete(self, model: LanguageModel, messages: Sequence[Message]) -> Completion:
        """Raises as ``Calls.complete`` does."""
        return await self.calls.complete(model, messages)

    def refusal(self, proposal: Proposal) -> str | None:
        """Why a gate refuses a program, in words for its author; None: it is let through."""
        return self.refuse(proposal)
