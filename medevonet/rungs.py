"""What the cheap rung of an evaluation trains: small data sets in full, large ones briefly.

Costs are counted in images trained on: they depend on nothing but the task.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from run_utils import TaskConfig

# A brief training of fewer steps than this ranks networks by luck: 14 steps on PneumoniaMNIST gave AUCs from
# .54 to .97 to networks that all end between .995 and .998 (benchmarks/fidelity.py).
_LEAST_BATCHES = 50


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
    """Data sets whose first training is the one of the full evaluation, and is kept; and brief trainings.

    Data sets in neither are not looked at.
    """

    whole: tuple[str, ...]
    brief: Mapping[str, Brief]


def full_cost(counts: Mapping[str, int], task: TaskConfig) -> int:
    """Images trained on in a full evaluation; ``counts`` are training images by data set."""
    return sum(count * task.epochs * task.repeats(name) for name, count in counts.items())


def plan_cheap_rung(counts: Mapping[str, int], task: TaskConfig) -> CheapRung:
    """What at most ``task.rung_share`` of the full cost can tell.

    From the smallest on, data sets are trained on in full as far as that goes: work that a promoted program
    need not repeat. The others share what is left alike, but for those whose part would be too brief
    to say anything: noise in the score is worse than a data set less. One is looked at in any case.
    """
    left = int(task.rung_share * full_cost(counts, task))
    by_size = sorted(counts, key=lambda name: counts[name])
    whole: list[str] = []
    for name in by_size:
        cost = counts[name] * task.epochs
        if cost > left:
            break
        whole.append(name)
        left -= cost
    least = _LEAST_BATCHES * task.batch_size
    others = by_size[len(whole) :]
    looked_at = others[: max(left // least, 0 if whole else 1)]
    brief = {}
    for number, name in enumerate(looked_at):
        share = max(left // (len(looked_at) - number), least)
        brief[name] = _brief(counts[name], share, task)
        left -= brief[name].cost
    return CheapRung(tuple(whole), brief)


def _brief(count: int, cost: int, task: TaskConfig) -> Brief:
    """``rung_epochs`` on a part of ``count`` images, or more on all of them; costs about ``cost`` images."""
    epochs = min(task.rung_epochs, task.epochs)
    images = min(count, max(1, cost // epochs))
    return Brief(images, max(epochs, min(cost // images, task.epochs)))
