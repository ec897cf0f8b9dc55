"""A program that is no network, for all that varies any program."""

SCHEDULE = '''\
LIMIT = 40


def schedule(steps: int, rate: float = 0.01) -> list[float]:
    """Not 3 or 4.5 of these."""
    table = [0.0, 1.0, 0.9, -2.5]
    decay = table[2] ** (1 / 100)
    return [max(rate * decay**step, 1e-05) for step in range(min(steps, LIMIT * 7))]
'''
