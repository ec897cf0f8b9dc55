"""The offline operators as a proposer."""

from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config

from .mutation import MutationError
from .variation import crossover, mutate

_MATING_SHARE = 0.15  # of the proposals for which there is a second program to mate with


class OfflineProposer:
    """Varies the context's parent, or now and then mates it with another good program."""

    def __init__(self, config: Config) -> None:
        self._max_code_length = config.max_code_length

    async def propose(self, context: Context) -> Proposal:
        rng = context.rng
        code = context.parent.program.code
        mates = [mate for mate in (*context.top, *context.inspirations) if mate.id != context.parent.id]
        parents, mated = [context.parent.id], None
        if mates and rng.random() < _MATING_SHARE:
            mate = rng.choice(mates)
            mated = crossover(code, mate.program.code, rng, max_code_length=self._max_code_length)
            if mated is not None:
                parents.append(mate.id)
        try:
            child = mated or mutate(code, rng, max_code_length=self._max_code_length)
        except MutationError as error:
            return Proposal(code=None, proposer="offline", problem=str(error))
        return Proposal(
            code=child.code,
            proposer=f"offline/{'+'.join(child.operators)}",
            changes=child.summary,
            parent_ids=tuple(parents),
        )
