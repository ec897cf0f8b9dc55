"""Where new programs come from: anything that turns a context into a proposal."""

from typing import Protocol

from openevolve.records.program import Context, Proposal


class Proposer(Protocol):
    """Writes one program for one context; every random choice comes from ``context.rng``."""

    async def propose(self, context: Context) -> Proposal:
        """A proposal without code says what was wrong; only what no later call can mend is raised."""
        ...
