"""The operators on networks as a proposer."""

from openevolve.proposing.offline import Mutation, OfflineMutation
from openevolve.records.program import Context
from openevolve.settings.registry import strategy

from .variation import crossover, mutate

_MATING_SHARE = 0.15  # of the proposals for which there is a second program to mate with


@strategy("proposer", "layers")
class LayerMutation(OfflineMutation):
    """Varies the layers of the context's parent, or now and then mates it with another good program."""

    def child(self, context: Context) -> tuple[Mutation, tuple[str, ...]]:
        parent, rng = context.parent, context.rng
        mates = [mate for mate in (*context.top, *context.inspirations) if mate.id != parent.id]
        if mates and rng.random() < _MATING_SHARE:
            mate = rng.choice(mates)
            mated = crossover(
                parent.program.code, mate.program.code, rng, max_code_length=self._max_code_length
            )
            if mated is not None:
                return mated, (parent.id, mate.id)
        return mutate(parent.program.code, rng, max_code_length=self._max_code_length), (parent.id,)
