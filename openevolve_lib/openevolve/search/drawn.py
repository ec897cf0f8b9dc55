"""Parents by what their scores are worth: luck that was selected is taken back before one is chosen.

Where the evaluator offers units, estimates rest on all that was measured (``population.estimates``). Else,
where it gives a standard error with the fitness metric (``<metric>_se``), on that (``population.shrinkage``);
where it gives none, scores are taken for exact.
The rules are those of ``search.weighted``.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from openevolve.population.estimates import Estimate
from openevolve.population.shrinkage import shrunk
from openevolve.records.program import Elite, standard_error_of
from openevolve.search.baselines import AmongAll, members_of
from openevolve.search.weighted import Candidates, DrawnTop, ParentChoice, Puct, Sigmoid, Thompson
from openevolve.settings.models import Config, Section
from openevolve.settings.registry import NoSettings, strategy
from openevolve.state.random import random_source
from openevolve.state.view import View


class _ByEstimates(AmongAll):
    """Hands what is known of all programs to a rule."""

    rule: ParentChoice

    def parent(self, view: View, iteration: int) -> Elite:
        members = sorted(members_of(view), key=lambda elite: elite.program.iteration)
        seed = random_source(self.config.random_seed, iteration, "parent").getrandbits(64)
        return members[self.rule.choose(candidates_of(view, members), np.random.default_rng(seed))]


def candidates_of(view: View, members: list[Elite]) -> Candidates:
    """What a rule chooses from: estimates of ``members``, their children and their cells."""
    population = view.population
    estimates = _estimates(view, members)
    children = Counter(choice.parent for choice in view.choices.values())
    cells = {cell: number for number, cell in enumerate(dict.fromkeys(map(population.cell, members)))}
    return Candidates(
        [elite.id for elite in members],
        np.array([estimate.mean for estimate in estimates]),
        np.array([estimate.sd for estimate in estimates]),
        np.array([children[elite.id] for elite in members]),
        np.array([cells[population.cell(elite)] for elite in members]),
    )


def _estimates(view: View, members: list[Elite]) -> Sequence[Estimate]:
    """From all that was measured; else from the standard errors that an evaluation gives."""
    known = [estimate for elite in members if (estimate := view.estimate(elite.id))]
    if len(known) == len(members):
        return known
    fitness, error = view.population.fitness, standard_error_of(view.population.config.fitness_metric)
    values = [fitness(elite.metrics) for elite in members]
    errors = [elite.metrics.get(error, 0.0) for elite in members]
    return [Estimate(each.mean, each.sd) for each in shrunk(values, errors)]


class DrawnTopSettings(Section):
    """Which share of the programs is the top, and how often any cell's elite is taken instead."""

    share: float = 0.1
    explore: float = 0.0


@strategy("parents", "drawn-top")
class DrawnTopParents(_ByEstimates):
    """One of the best tenth by a draw from the estimates: the best of those measured in benchmarks/search."""

    Settings: Any = DrawnTopSettings

    def __init__(self, config: Config, settings: DrawnTopSettings) -> None:
        self.config = config
        self.rule = DrawnTop(settings.share, settings.explore)


@strategy("parents", "thompson")
class ThompsonParents(_ByEstimates):
    """The best by a draw from the estimates (Thompson, 1933): as likely as it is to be the best."""

    def __init__(self, config: Config, settings: NoSettings) -> None:
        self.config = config
        self.rule = Thompson()


class SigmoidSettings(Section):
    """How sharply weights rise around the median."""

    strength: float = 10.0


@strategy("parents", "sigmoid")
class SigmoidParents(_ByEstimates):
    """ShinkaEvolve's weights: above the median, and with few children (arXiv 2509.19349)."""

    Settings: Any = SigmoidSettings

    def __init__(self, config: Config, settings: SigmoidSettings) -> None:
        self.config = config
        self.rule = Sigmoid(settings.strength)


class PuctSettings(Section):
    """The weight of what has few children."""

    exploration: float = 1.0


@strategy("parents", "puct")
class PuctParents(_ByEstimates):
    """Value, and a bonus for those with few children, as in TTT-Discover."""

    Settings: Any = PuctSettings

    def __init__(self, config: Config, settings: PuctSettings) -> None:
        self.config = config
        self.rule = Puct(settings.exploration)
