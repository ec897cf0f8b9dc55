"""A proposer that changes nothing: a loop can be tried out with it, and the noise of a score be seen."""

from typing import Self

from openevolve.llm.base import Models
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy


@strategy("proposer", "no-op")
class NoOp:
    """The parent again. The gate ``duplicate`` refuses it: leave that out of ``search.gates``."""

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        return cls()

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        same = Proposal(context.parent.program.code, "no-op", changes="no change")
        refusal = desk.refusal(same)
        return same if refusal is None else Proposal(None, "no-op", problem=refusal)
