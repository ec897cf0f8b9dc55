"""The end of a run in figures: the best program against the seed, on the validation split alone.

The test split stays closed: ``run_evolution.py confirm`` opens it, once (medevonet/run/confirm.py).
"""

import json
from pathlib import Path
from typing import Any

from medevonet.run.verdict import verdict
from medevonet.statistics.comparison import aligned
from openevolve.engine.run import Result
from openevolve.records.program import Elite
from openevolve.search.final import best_of, scores_of_best


def closing_summary(run: Path, result: Result, initial: Elite) -> str:
    """The text printed at the end: a table, and a greppable block of ``key: value``."""
    best = best_of(result.state)
    assert best is not None  # the initial program has a score
    scores = scores_of_best(result.state)
    folder = run / "artifacts"
    seed_record, best_record = _record(folder, initial), _record(folder, best)
    parts = []
    if seed_record and best_record:
        parts.append(_datasets_table(seed_record, best_record))
    scored = [result.state.scored(i) for i, outcome in result.state.outcomes.items() if outcome.evaluated]
    parts.append("\n".join(verdict(folder, initial, best, scored)))
    usage = result.state.usage
    lines = [
        "---",
        f"status: {result.reason}",
        f"iterations: {max(0, len(result.state.outcomes) - 1)}",
        f"evaluations: {result.state.evaluations}",
        f"failures: {json.dumps(dict(sorted(result.state.failures.items())))}",
        f"seed_mean_val_auc: {initial.metrics['mean_val_auc']:.4f}",
        f"best_mean_val_auc: {best.metrics['mean_val_auc']:.4f}",
        *(f"best_{name}: {value:.4g}" for name, value in scores.items()),
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


def _datasets_table(seed: dict[str, Any], best: dict[str, Any]) -> str:
    """Validation AUC of both programs, a line per dataset; the 95% intervals are the best program's."""
    rows = [["dataset", "seed val", "best val", "best val 95%"]]
    sections = [(name, seed["datasets"][name], best["datasets"][name]) for name in best["datasets"]]
    for name, of_seed, of_best in [*sections, ("mean", seed["mean"], best["mean"])]:
        interval = "{:.4f} to {:.4f}".format(*of_best["val"]["ci95"])
        rows.append([name, f"{of_seed['val']['auc']:.4f}", f"{of_best['val']['auc']:.4f}", interval])
    return aligned(rows)
