"""Score of a rule for online bin packing: how few bins it needs for streams of random items.

The rule only ranks bins; the packing is done here, so that every item is in one bin and fits it.
"""

import math
import runpy
from collections.abc import Callable
from random import Random

CAPACITY = 100
ITEMS, STREAMS = 300, 4
NEARLY_FULL = 0.95

Rule = Callable[[float, float], float]


def evaluate(program_path: str) -> dict[str, float]:
    """``combined_score``: least number of bins that could hold the items, divided by those that were used.

    ``nearly_full``, the share of the bins that are filled to 95% and more, is an axis of the archive.
    """
    return measure(program_path, "streams", repeat=0)


def units() -> list[dict[str, str]]:
    """What can be measured again: other streams of the same kind."""
    return [{"name": "streams", "group": "streams", "metric": "combined_score"}]


def measure(program_path: str, unit: str, repeat: int) -> dict[str, float]:
    """As ``evaluate``, on streams of their own for every repeat."""
    rule = runpy.run_path(program_path)["priority"]
    streams = [_stream(repeat * STREAMS + number) for number in range(STREAMS)]
    rooms = [pack(items, rule) for items in streams]
    scores = [
        math.ceil(sum(items) / CAPACITY) / len(left) for items, left in zip(streams, rooms, strict=True)
    ]
    full = [room <= (1 - NEARLY_FULL) * CAPACITY for left in rooms for room in left]
    return {"combined_score": sum(scores) / STREAMS, "nearly_full": sum(full) / len(full)}


def _stream(number: int) -> list[int]:
    """Items of Weibull-distributed sizes, as when the parts of many orders are cut from bars."""
    rng = Random(number)
    return [min(CAPACITY, max(1, round(rng.weibullvariate(45, 3)))) for _ in range(ITEMS)]


def pack(items: list[int], rule: Rule) -> list[int]:
    """The room that is left in each bin. Raises ValueError where the rule gives NaN."""
    rooms: list[int] = []
    for item in items:
        fitting = [n for n, room in enumerate(rooms) if room >= item]
        ranks = {n: float(rule(item / CAPACITY, rooms[n] / CAPACITY)) for n in fitting}
        if any(math.isnan(rank) for rank in ranks.values()):
            raise ValueError("expected a number from priority(), found NaN")
        if ranks:
            rooms[max(ranks, key=ranks.__getitem__)] -= item
        else:
            rooms.append(CAPACITY - item)
    return rooms
