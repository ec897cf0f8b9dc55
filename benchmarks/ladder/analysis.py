"""Rank agreement of a rung with the full score, and replays of the records through the promotion rule."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from benchmarks.ladder.records import Full, Record
from openevolve.config import Config, LadderConfig
from openevolve.database import declared_axes
from openevolve.fidelity import Climb, PromotionRule, Verdict
from openevolve.island import Cell

_TOP_SHARE = 0.2
_REPLAYS = 20
_RESAMPLES = 2000


def analysis(records: Sequence[Record], config: Config) -> str:
    """The whole report."""
    scored = [record for record in records if not record.failure]
    lines = [f"programs: {len(records)}, of which {len(records) - len(scored)} failed (no score on any rung)"]
    cheap = [_metrics(record)["mean_val_auc"] for record in scored]
    first, second = ([record.full[i].score for record in scored] for i in (0, 1))
    one_epoch = [_after_one_epoch(record.full[0]) for record in scored]
    share = statistics.median(_metrics(record)["cost"] / record.full[1].cost for record in scored)
    lines += [
        f"cost of the cheap rung: {share:.1%} of a full evaluation; "
        f"what a promoted program trains beside the full evaluation: {_overhead(scored):.1%}",
        f"full score: mean {np.mean(first):.4f}, "
        f"standard deviation between programs {np.std(first, ddof=1):.4f}, "
        f"between repeats {_repeat_deviation(first, second):.4f}",
        "",
        f"{'agreement (95% bootstrap interval over programs)':48}  {'Kendall tau':21}  {'Spearman rho':21}  "
        f"recall of the top {_TOP_SHARE:.0%}",
        _agreement("cheap rung, full score that goes on from it", cheap, first),
        _agreement("cheap rung, full score with another seed", cheap, second),
        _agreement("first epoch of the full schedule, its full score", one_epoch, first),
        _agreement("parameters, full score", [-_metrics(record)["params"] for record in scored], first),
        _agreement("full score, its own repeat (the ceiling)", second, first),
        "",
        *_replays(scored, config),
    ]
    return "\n".join(lines)


def _metrics(record: Record) -> dict[str, float]:
    assert record.metrics is not None
    return dict(record.metrics)


def _after_one_epoch(full: Full) -> float:
    """What a rung of the schedule's first epoch would see."""
    return float(
        np.mean([np.mean([epochs[0] for epochs in trainings]) for trainings in full.epochs.values()])
    )


def _overhead(records: Sequence[Record]) -> float:
    """Images that a program on both rungs trains on beyond those of a full evaluation alone."""
    return statistics.median(record.full[0].cost / record.full[1].cost - 1 for record in records)


def _repeat_deviation(first: Sequence[float], second: Sequence[float]) -> float:
    """Standard deviation of one full score among repeats, from pairs."""
    return float(np.sqrt(np.mean(np.subtract(first, second) ** 2) / 2))


def _recall(predictor: Sequence[float], score: Sequence[float]) -> float:
    """Of the top fifth by score, the share that is in the top fifth by the predictor."""
    count = max(1, round(_TOP_SHARE * len(score)))
    top = set(np.argsort(score, kind="stable")[-count:].tolist())
    return len(top & set(np.argsort(predictor, kind="stable")[-count:].tolist())) / count


def _agreement(name: str, predictor: Sequence[float], score: Sequence[float]) -> str:
    figures: list[Callable[[Sequence[float], Sequence[float]], float]] = [
        lambda a, b: float(kendalltau(a, b).statistic),
        lambda a, b: float(spearmanr(a, b).statistic),
        _recall,
    ]
    cells = [_with_interval(figure, predictor, score) for figure in figures]
    return f"{name:48}  " + "  ".join(f"{cell:21}" for cell in cells)


def _with_interval(
    figure: Callable[[Sequence[float], Sequence[float]], float], a: Sequence[float], b: Sequence[float]
) -> str:
    rng = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(a), size=len(a))
        values.append(figure(np.take(a, drawn).tolist(), np.take(b, drawn).tolist()))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"{figure(a, b):.2f} ({low:.2f} to {high:.2f})"


@dataclass(frozen=True)
class _Replay:
    """One order of the programs, through the rule."""

    spent: float  # images trained on, against everything in full
    until_best: float | None  # likewise, at the moment when the best program has its score; None: rejected
    promoted: float  # share of the programs, audited ones included
    recall: float  # of the top fifth
    best: float  # final score of the best found


def _replays(records: Sequence[Record], config: Config) -> list[str]:
    ladder = config.fidelity if isinstance(config.fidelity, LadderConfig) else LadderConfig()
    replays = [_replay(records, config, ladder, seed) for seed in range(_REPLAYS)]
    best = max(record.full[0].score for record in records)
    savings = [1 / replay.spent for replay in replays]
    found = [replay for replay in replays if replay.until_best is not None]
    lines = [
        f"{_REPLAYS} replays, rule {ladder.model_dump()}:",
        f"  training saved: {_spread(savings, '{:.2f}')} times less than everything in full",
        f"  evaluated in full: {_spread([replay.promoted for replay in replays], '{:.0%}')} of the programs",
        f"  recall of the top {_TOP_SHARE:.0%}: {_spread([replay.recall for replay in replays], '{:.2f}')}",
        f"  best program found in {len(found)} of {_REPLAYS}; score lost: "
        f"{_spread([best - replay.best for replay in replays], '{:.4f}')}",
    ]
    if found:
        until = [1 / replay.until_best for replay in found if replay.until_best]
        lines.append(
            f"  training until the best program had its score: {_spread(until, '{:.2f}')} times less"
        )
    return lines


def _spread(values: Sequence[float], form: str) -> str:
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"median {middle} ({low} to {high})"


def _replay(records: Sequence[Record], config: Config, ladder: LadderConfig, seed: int) -> _Replay:
    rng = random.Random(seed)
    order = list(records)
    rng.shuffle(order)
    axes = declared_axes(config)
    best = max(order, key=lambda record: record.full[0].score)
    climbs: list[Climb] = []
    elites: dict[Cell, float] = {}
    promoted: list[Record] = []
    spent = everything = 0.0
    until_best = None
    for record in order:
        metrics, full = _metrics(record), record.full[0]
        everything += record.full[1].cost
        cell = tuple(axis.bin(metrics[axis.name]) for axis in axes)
        score = metrics["mean_val_auc"]
        decision = PromotionRule(ladder, climbs).decide(1, score, elites.get(cell), rng.random())
        if decision.verdict is Verdict.REJECTED:
            spent += metrics["cost"]
            climbs.append(Climb({1: score}))
            continue
        spent += full.cost
        climbs.append(Climb({1: score}, full.score))
        elites[cell] = max(full.score, elites.get(cell, 0.0))
        promoted.append(record)
        if record is best:
            until_best = spent / everything
    count = max(1, round(_TOP_SHARE * len(order)))
    top = sorted(order, key=lambda record: -record.full[0].score)[:count]
    return _Replay(
        spent=spent / everything,
        until_best=until_best,
        promoted=len(promoted) / len(order),
        recall=sum(record in promoted for record in top) / count,
        best=max(record.full[0].score for record in promoted),
    )
