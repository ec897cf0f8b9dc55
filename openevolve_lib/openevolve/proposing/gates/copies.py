"""Proposals that say again what they were shown."""

from dataclasses import replace

from openevolve.population.axes import dissimilarity, line_set
from openevolve.records.program import Context, Proposal


def refuse_copies(proposal: Proposal, context: Context, threshold: float) -> Proposal:
    """``proposal``, without its code where it shares too many lines with a program it was shown."""
    if proposal.code is None or threshold >= 1:
        return proposal
    lines = line_set(proposal.code)
    for shown in (context.parent, *context.top, *context.inspirations):
        similarity = 1 - dissimilarity(lines, line_set(shown.program.code))
        if similarity >= threshold:
            problem = f"expected less than {threshold:g} of the lines of {shown.id}, found {similarity:.3f}"
            return replace(proposal, code=None, problem=problem)
    return proposal
