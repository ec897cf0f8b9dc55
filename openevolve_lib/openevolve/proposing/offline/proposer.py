"""Offline mutation as a proposer."""

from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config

from .mutation import Mutation, MutationError
from .variation import mutate


class OfflineMutation:
    """Gives the parent's program other numbers; a subclass that knows more has a ``child`` of its own."""

    def __init__(self, config: Config) -> None:
        self._max_code_length = config.max_code_length

    async def propose(self, context: Context) -> Proposal:
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
