"""What the cheap rung of an evaluation trains: small data sets in full, large ones briefly.

Costs are counted in images trained on: they depend on nothing but the task.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from run_utils import TaskConfig

_RESERVE_BATCHES = 8  # for every data set that is trained briefly, at the least


@dataclass(frozen=True)
class Brief:
    """A short training on a part of a data set, under a schedule of its own length."""

    images: int
    epochs: int

    @property
    def cost(self) -> int:
        return self.images * self.epochs


@dataclass(frozen=True)
class CheapRung:
    """Data sets whose first training is the one of the full evaluation, and is kept; and brief trainings."""

    whole: tuple[str, ...]
    brief: Mapping[str, Brief]


def full_cost(counts: Mapping[str, int], task: TaskConfig) -> int:
    """Images trained on in a full evaluation; ``counts`` are training images by data set."""
    return sum(count * task.epochs * task.repeats(name) for name, count in counts.items())


def plan_cheap_rung(counts: Mapping[str, int], task: TaskConfig) -> CheapRung:
    """At most ``task.rung_share`` of the full cost, or as little as each data set can be judged by.

    From the smallest on, data sets are trained in full while enough is left for a brief training on
    each of the others; these share what is left alike. What is trained in full is work that a promoted
    program need not repeat.
    """
    left = int(task.rung_share * full_cost(counts, task))
    least = _RESERVE_BATCHES * task.batch_size
    by_size = sorted(counts, key=lambda name: counts[name])
    whole: list[str] = []
    for number, name in enumerate(by_size, start=1):
        cost = counts[name] * task.epochs
        if cost > left - least * (len(by_size) - number):
            break
        whole.append(name)
        left -= cost
    others = by_size[len(whole) :]
    brief = {}
    for number, name in enumerate(others):
        share = max(left // (len(others) - number), least)
        images = min(counts[name], max(task.batch_size, share // task.rung_epochs))
        brief[name] = Brief(images, max(1, min(share // images, task.epochs)))
        left -= brief[name].cost
    return CheapRung(tuple(whole), brief)
