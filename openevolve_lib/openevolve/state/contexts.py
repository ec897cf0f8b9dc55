"""What the proposal of an iteration is made from, as chosen."""

import random
from typing import TYPE_CHECKING

from openevolve.records.choice import Choice
from openevolve.records.program import Context, Failure

if TYPE_CHECKING:
    from openevolve.state.state import State

BELIEFS = 5  # that a prompt may show, the latest
_UNDRAWN = random.Random(0)  # in the place of a context's own numbers, until it is asked for


def context_of(state: "State", choice: Choice) -> Context:
    """Of the population as it stands; random numbers are added when it is used."""
    member = state.population.member
    return Context(
        iteration=choice.iteration,
        island=choice.island,
        parent=member(choice.parent),
        rng=_UNDRAWN,
        top=tuple(map(member, choice.top)),
        inspirations=tuple(map(member, choice.inspirations)),
        failures=tuple(Failure(state.programs[i], state.outcomes[i]) for i in choice.failures),
        initial=state.scored(0) if 0 in state.outcomes else None,
        operator=choice.operator,
        idea=state.ideas.all.get(choice.idea),
        beliefs=tuple(reversed(state.beliefs[-BELIEFS:])),
    )
