"""A proposer: how a child is made of its parents."""

from openevolve.proposing.offline import Mutation, OfflineMutation, mutate
from openevolve.records.program import Context
from openevolve.settings.registry import strategy


@strategy("proposer", "one-number")
class OneNumber(OfflineMutation):
    """Changes a single number of the parent: the smallest step there is. Needs no language model."""

    def child(self, context: Context) -> tuple[Mutation, tuple[str, ...]]:
        parent = context.parent
        code, limit = parent.program.code, self._max_code_length
        return mutate(code, context.rng, max_operators=1, max_code_length=limit), (parent.id,)
