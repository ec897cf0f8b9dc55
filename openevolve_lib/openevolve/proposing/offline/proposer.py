"""Offline mutation as a proposer."""

from dataclasses import replace
from typing import Self

from openevolve.llm.base import Models
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy

from .mutation import Mutation, MutationError
from .variation import mutate

_TRIES = 8  # at a child that no gate refuses


@strategy("proposer", "offline")
class OfflineMutation:
    """Gives the parent's program other numbers; a subclass that knows more has a ``child`` of its own."""

    def __init__(self, config: Config) -> None:
        self._max_code_length = config.max_code_length

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        return cls(config)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        for _ in range(_TRIES):
            proposal = self._proposal(context)
            if proposal.code is None:
                return proposal
            refusal = desk.refusal(proposal)
            if refusal is None:
                return proposal
            refused = replace(proposal, code=None, problem=refusal)
        return refused

    def _proposal(self, context: Context) -> Proposal:
        try:
            child, parent_ids = self.child(context)
        except MutationError as error:
            return Proposal(code=None, proposer="offline", problem=str(error))
        return Proposal(
            code=child.code,
            proposer=f"offline/{'+'.join(child.operators)}",
            changes=child.summary,
            parent_ids=parent_ids,
        )

    def child(self, context: Context) -> tuple[Mutation, tuple[str, ...]]:
        """A child and the ids of its parents; all random choices come from ``context.rng``.

        Raises MutationError where the parent cannot be varied.
        """
        parent = context.parent
        child = mutate(parent.program.code, context.rng, max_code_length=self._max_code_length)
        return child, (parent.id,)
