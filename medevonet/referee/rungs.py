"""What the rungs below a full evaluation train: its own trainings, the cheapest first, and brief ones.

Costs are counted in images of full size trained on: they depend on nothing but the task.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from medevonet.task import TaskConfig

# A brief training of fewer steps than this ranks networks by luck: 14 steps on PneumoniaMNIST gave AUCs from
# .54 to .97 to networks that all end between .995 and .998 (benchmarks/fidelity.py).
_LEAST_BATCHES = 50

_ROUNDING = 1e-6  # of a product of a share, in images

Training = tuple[str, int]  # a data set, and which of its trainings, from 0


@dataclass(frozen=True)
class Brief:
    """A short training on a part of a data set, of smaller images, under a schedule of its own length."""

    images: int
    epochs: int
    downsampling: int  # height and width are divided by it

    @property
    def cost(self) -> int:
        return math.ceil(self.images * self.epochs / self.downsampling**2)


@dataclass(frozen=True)
class Rung:
    """What one rung adds to those below it.

    ``trainings`` are of the full evaluation, and are not repeated there. Data sets that have neither those
    nor a brief training are not looked at yet.
    """

    trainings: tuple[Training, ...]
    brief: Mapping[str, Brief]


def full_cost(counts: Mapping[str, int], task: TaskConfig) -> int:
    """Images trained on in a full evaluation; ``counts`` are training images by data set."""
    return sum(count * task.epochs * task.repeats(name) for name, count in counts.items())


def downsampling_factor(task: TaskConfig) -> int:
    """By what brief trainings divide the size of images: to ``task.rung_size`` at least, by whole pixels."""
    factors = range(1, max(1, task.size // task.rung_size) + 1)
    return max(factor for factor in factors if task.size % factor == 0)


def plan_rungs(counts: Mapping[str, int], task: TaskConfig, downsampling: int) -> tuple[Rung, ...]:
    """The rungs below the full evaluation; with those before it, each costs at most its share.

    The first rung also looks briefly at data sets that are too large for it, sharing out what is left; but
    not at those whose part would be too brief to say anything: noise in the score is worse than a data
    set less. A rung that would add nothing is left out, and there may be none: but as many for every program.

    Args:
        downsampling: what brief trainings may divide the size of images by, 1 if no other is taken.
    """
    rungs: list[Rung] = []
    todo = sorted(
        ((name, repeat) for name in counts for repeat in range(task.repeats(name))),
        key=lambda training: (counts[training[0]], training[1]),
    )
    spent = 0
    for number, share in enumerate(task.rung_shares):
        allowed = int(share * full_cost(counts, task) + _ROUNDING)
        trainings: list[Training] = []
        while todo and spent + (cost := counts[todo[0][0]] * task.epochs) <= allowed:
            spent += cost
            trainings.append(todo.pop(0))
        brief = {}
        if number == 0:
            known = {name for name, _ in trainings}
            others = {name: count for name, count in counts.items() if name not in known}
            brief = _brief_trainings(others, allowed - spent, task, downsampling)
            spent = allowed  # whatever it was, so that later rungs are the same for all programs
        if trainings or brief:
            rungs.append(Rung(tuple(trainings), brief))
    return tuple(rungs)


def _brief_trainings(
    counts: Mapping[str, int], cost: int, task: TaskConfig, downsampling: int
) -> dict[str, Brief]:
    """Trainings that share ``cost`` alike, on the smallest data sets, as many as it is enough for."""
    # For networks that take small images; to others, which will see less, nothing else is done.
    enough = math.ceil(_LEAST_BATCHES * task.batch_size / downsampling_factor(task) ** 2)
    names = sorted(counts, key=lambda name: counts[name])[: cost // enough]
    brief: dict[str, Brief] = {}
    for number, name in enumerate(names):
        brief[name] = _brief(counts[name], cost // (len(names) - number), task, downsampling)
        cost -= brief[name].cost
    return brief


def _brief(count: int, cost: int, task: TaskConfig, downsampling: int) -> Brief:
    """``task.rung_epochs`` on a part of ``count`` images, or more on all of them."""
    small = cost * downsampling**2
    epochs = min(task.rung_epochs, task.epochs)
    images = min(count, max(1, small // epochs))
    return Brief(images, max(epochs, min(small // images, task.epochs)), downsampling)
