"""The end of a run in figures: the best program against the seed.

Only here, and only once the search is over, are test predictions read: a run that was stopped and can
go on shows its validation AUC alone.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medevonet.statistics.paired_tests import table
from medevonet.statistics.summaries import compare, load_predictions
from openevolve.engine.run import Result
from openevolve.records.program import Elite

_REPLICATES = 2000


def closing_summary(run: Path, result: Result, initial: Elite) -> str:
    """The text printed at the end: a table, paired tests, and a greppable block of ``key: value``."""
    best = result.state.population.best()[0]
    folder = run / "artifacts"
    seed_record, best_record = _record(folder, initial), _record(folder, best)
    parts = []
    if seed_record and best_record:
        splits = ("val", "test") if result.completed else ("val",)
        parts.append(_datasets_table(seed_record, best_record, splits))
        if result.completed and best.id != initial.id:
            parts.append(_paired_tests(folder, initial, best))
    usage = result.state.usage
    lines = [
        "---",
        f"status: {result.reason}",
        f"iterations: {max(0, len(result.state.outcomes) - 1)}",
        f"evaluations: {result.state.evaluations}",
        f"failures: {json.dumps(dict(sorted(result.state.failures.items())))}",
        f"seed_mean_val_auc: {initial.metrics['mean_val_auc']:.4f}",
        f"best_mean_val_auc: {best.metrics['mean_val_auc']:.4f}",
        f"seed_params: {initial.metrics['param_count']:.0f}",
        f"best_params: {best.metrics['param_count']:.0f}",
        *(result.ladder.lines() if result.ladder else ()),
        f"tokens: {usage.tokens}",
        f"cost_dollars: {'unknown' if usage.cost_unknown else f'{usage.cost:.4f}'}",
        *([f"spent: {usage.in_words()}"] if usage.calls_without_usage or usage.calls_without_price else []),
        f"seconds: {result.state.elapsed:.1f}",
        f"run: {run}",
        f"best_program: {run / 'openevolve' / 'best' / 'best_program.py'}",
    ]
    return "\n\n".join([*parts, "\n".join(lines)])


def _record(folder: Path, elite: Elite) -> dict[str, Any] | None:
    """The JSON artifact of a program; None where it was deleted since."""
    try:
        record: dict[str, Any] = json.loads((folder / f"{elite.id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record


def _datasets_table(seed: dict[str, Any], best: dict[str, Any], splits: Sequence[str]) -> str:
    """AUC of both programs, a line per dataset; the 95% intervals are the best program's."""
    header = ["dataset"]
    for split in splits:
        header += [f"seed {split}", f"best {split}", f"best {split} 95%"]
    rows = [header]
    sections = [(name, seed["datasets"][name], best["datasets"][name]) for name in best["datasets"]]
    for name, of_seed, of_best in [*sections, ("mean", seed["mean"], best["mean"])]:
        row = [name]
        for split in splits:
            low, high = of_best[split]["ci95"]
            row += [
                f"{of_seed[split]['auc']:.4f}",
                f"{of_best[split]['auc']:.4f}",
                f"{low:.4f} to {high:.4f}",
            ]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _paired_tests(folder: Path, initial: Elite, best: Elite) -> str:
    of_seed, of_best = (load_predictions(folder / f"{elite.id}.npz") for elite in (initial, best))
    tests = compare(of_seed, of_best, split="test", seed=0, replicates=_REPLICATES)
    heading = f"Test split, a: seed, b: best, {_REPLICATES} bootstrap replicates (the search saw none of it)"
    return f"{heading}\n{table(tests)}"
