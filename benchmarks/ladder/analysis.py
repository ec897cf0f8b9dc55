"""The report on measured programs: what rungs cost and tell, and what replays with them save."""

import statistics
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.ladder.agreement import agreement_table
from benchmarks.ladder.records import Full, Record
from benchmarks.ladder.replays import replay_report
from openevolve.settings.models import Config


def analysis(records: Sequence[Record], config: Config) -> str:
    """The whole report."""
    scored = [record for record in records if not record.failure]
    first, second = ([record.full[i].score for record in scored] for i in (0, 1))
    lines = [
        f"programs: {len(records)}, of which {len(records) - len(scored)} failed (no score on any rung)",
        f"cost of the rungs: {_rung_costs(scored)} of a full evaluation; "
        f"what a promoted program trains beside the full evaluation: {_overhead(scored):.1%}",
        f"full score: mean {np.mean(first):.4f}, "
        f"standard deviation between programs {np.std(first, ddof=1):.4f}, "
        f"between repeats {_repeat_deviation(first, second):.4f}",
        "",
        *agreement_table(_pairs(scored)),
        "",
        *replay_report(scored, config),
    ]
    return "\n".join(lines)


def _pairs(records: Sequence[Record]) -> Iterator[tuple[str, list[float], list[float]]]:
    """What may tell a full score before it is known, and how well the full score tells itself."""
    first, second = ([record.full[i].score for record in records] for i in (0, 1))
    for number in range(_rung_count(records)):
        rung = [record.rungs[number]["mean_val_auc"] for record in records]
        yield f"rung {number + 1}, full score that goes on from it", rung, first
        yield f"rung {number + 1}, full score with another seed", rung, second
    one_epoch = [_after_one_epoch(record.full[0]) for record in records]
    yield "first epoch of the full schedule, its full score", one_epoch, first
    yield "parameters, full score", [-record.rungs[0]["params"] for record in records], first
    yield "full score, its own repeat (the ceiling)", second, first


def _rung_count(records: Sequence[Record]) -> int:
    return min(len(record.rungs) for record in records)


def _rung_costs(records: Sequence[Record]) -> str:
    shares = (
        statistics.median(record.rungs[number]["cost"] / record.full[1].cost for record in records)
        for number in range(_rung_count(records))
    )
    return ", ".join(f"{share:.1%}" for share in shares)


def _after_one_epoch(full: Full) -> float:
    """What a rung of the schedule's first epoch would see."""
    return float(
        np.mean([np.mean([epochs[0] for epochs in trainings]) for trainings in full.epochs.values()])
    )


def _overhead(records: Sequence[Record]) -> float:
    """Images that a program on all rungs trains on beyond those of a full evaluation alone."""
    return statistics.median(record.full[0].cost / record.full[1].cost - 1 for record in records)


def _repeat_deviation(first: Sequence[float], second: Sequence[float]) -> float:
    """Standard deviation of one full score among repeats, from pairs."""
    return float(np.sqrt(np.mean(np.subtract(first, second) ** 2) / 2))
