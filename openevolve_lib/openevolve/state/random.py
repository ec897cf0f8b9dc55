"""Random numbers that depend on nothing but what they are for: equal seeds, equal run."""

import random


def random_source(seed: int, iteration: int, purpose: str) -> random.Random:
    """A generator of its own for each use, whatever else has been drawn."""
    return random.Random(f"{seed}/{iteration}/{purpose}")
