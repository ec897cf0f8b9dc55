"""One operator a call, drawn by what each has brought: Thompson sampling on gains (Thompson, 1933)."""

import random
from collections import Counter
from collections.abc import Sequence

from openevolve.records.choice import Choice
from openevolve.state.view import View


def credit(view: View) -> tuple[Counter[str], Counter[str]]:
    """By operator, how many children scored higher than their parent, and how many did not or failed."""
    gains: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    for iteration in view.committed:
        choice, outcome = view.choices.get(iteration), view.outcome(iteration)
        if choice is None or outcome is None or not choice.operator:
            continue
        before = view.score(choice.parent)
        fitness = view.population.fitness
        gained = outcome.evaluated and before is not None and fitness(outcome.metrics) > before
        (gains if gained else misses)[choice.operator] += 1
    return gains, misses


def draw_operator(view: View, names: Sequence[str], choice: Choice, rng: random.Random) -> str:
    """The operator with the highest draw from its Beta distribution; ``mate`` needs another program."""
    gains, misses = credit(view)
    possible = [name for name in names if name != "mate" or choice.inspirations or choice.top] or list(names)
    return max(possible, key=lambda name: rng.betavariate(1 + gains[name], 1 + misses[name]))
