"""Replays of measured programs, in random orders, through the promotion rule."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ladder.agreement import TOP_SHARE
from benchmarks.ladder.records import Record
from openevolve.measuring.ladder import is_remote
from openevolve.measuring.promotion import Climb, PromotionRule
from openevolve.population.axes import Axis, declared_axes
from openevolve.population.island import Cell
from openevolve.records.decision import Verdict
from openevolve.settings.models import Config, LadderConfig

REPLAYS = 20


@dataclass(frozen=True)
class Replay:
    """One order of the programs, through the rule."""

    spent: float  # images trained on, against everything in full
    until_best: float | None  # likewise, at the moment when the best program has its score; None: rejected
    promoted: float  # share of the programs, audited ones included
    recall: float  # of the top fifth
    cells: float  # share of the cells that everything in full fills
    best: float  # final score of the best found


def replay_report(records: Sequence[Record], config: Config) -> list[str]:
    """What replays spend and find on a single island, and on as many as the settings have."""
    ladder = config.fidelity if isinstance(config.fidelity, LadderConfig) else LadderConfig()
    lines = [f"{REPLAYS} replays, rule {ladder.model_dump()}:"]
    for islands in sorted({1, config.database.num_islands}):
        lines += [f" islands: {islands}", *_lines(records, config, ladder, islands)]
    return lines


def _lines(records: Sequence[Record], config: Config, ladder: LadderConfig, islands: int) -> list[str]:
    replays = [replay(records, config, ladder, seed, islands) for seed in range(REPLAYS)]
    best = max(record.full[0].score for record in records)
    savings = [1 / replay.spent for replay in replays]
    found = [replay for replay in replays if replay.until_best is not None]
    lines = [
        f"  training saved: {_spread(savings, '{:.2f}')} times less than everything in full",
        f"  evaluated in full: {_spread([replay.promoted for replay in replays], '{:.0%}')} of the programs",
        f"  recall of the top {TOP_SHARE:.0%}: {_spread([replay.recall for replay in replays], '{:.2f}')}",
        f"  cells of the archive filled: {_spread([replay.cells for replay in replays], '{:.0%}')}",
        f"  best program found in {len(found)} of {REPLAYS}; score lost: "
        f"{_spread([best - replay.best for replay in replays], '{:.4f}')}",
    ]
    if found:
        until = [1 / replay.until_best for replay in found if replay.until_best]
        lines.append(
            f"  training until the best program had its score: {_spread(until, '{:.2f}')} times less"
        )
    return lines


def replay(
    records: Sequence[Record], config: Config, ladder: LadderConfig, seed: int, islands: int = 1
) -> Replay:
    """Records in a random order, each known by its score and cell as far as it climbs.

    Islands take them in turn; elites are those of a program's own island.
    The other seed's full evaluation says what everything in full would have cost.
    """
    rng = random.Random(seed)
    order = list(records)
    rng.shuffle(order)
    axes = declared_axes(config)
    best = max(order, key=lambda record: record.full[0].score)
    climbs: list[Climb] = []
    elites: list[dict[Cell, float]] = [{} for _ in range(islands)]
    promoted: list[Record] = []
    spent = everything = 0.0
    until_best = None
    for number, record in enumerate(order):
        everything += record.full[1].cost
        island, cell = elites[number % islands], _cell(record, axes)
        rule = None if is_remote(cell, elites) else PromotionRule(ladder, climbs)
        climb, cost = _climb(record, rule, island.get(cell), rng.random())
        climbs.append(climb)
        spent += cost
        if climb.final is None:
            continue
        island[cell] = max(climb.final, island.get(cell, 0.0))
        promoted.append(record)
        if record is best:
            until_best = spent / everything
    count = max(1, round(TOP_SHARE * len(order)))
    top = sorted(order, key=lambda record: -record.full[0].score)[:count]
    return Replay(
        spent=spent / everything,
        until_best=until_best,
        promoted=len(promoted) / len(order),
        recall=sum(record in promoted for record in top) / count,
        cells=len({_cell(record, axes) for record in promoted})
        / len({_cell(record, axes) for record in order}),
        best=max(record.full[0].score for record in promoted),
    )


def _cell(record: Record, axes: Sequence[Axis]) -> Cell:
    return tuple(axis.bin(record.rungs[0][axis.name]) for axis in axes)


def _climb(
    record: Record, rule: PromotionRule | None, elite: float | None, draw: float
) -> tuple[Climb, float]:
    """How far the rule, where there is one, lets a program go; and the images trained on until there."""
    scores = {number: rung["mean_val_auc"] for number, rung in enumerate(record.rungs, 1)}
    for number, rung in enumerate(record.rungs, 1):
        if rule and rule.decide(number, scores[number], elite, draw).verdict is Verdict.REJECTED:
            return Climb({below: scores[below] for below in range(1, number + 1)}), rung["cost"]
    return Climb(scores, record.full[0].score), record.full[0].cost


def _spread(values: Sequence[float], form: str) -> str:
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"median {middle} ({low} to {high})"
