"""The figures of benchmarks/fidelity.py, on records whose answers are known."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.ladder.agreement import recall
from benchmarks.ladder.analysis import analysis
from benchmarks.ladder.records import Full, Record, append, read_records
from benchmarks.ladder.replays import replay
from medevonet.run.folder import PROJECT
from openevolve.settings.files import load_config
from openevolve.settings.models import LadderConfig

CONFIG = load_config(PROJECT / "config.yaml")
RULE = LadderConfig(min_full=4, top_share=0.1, audit_share=0.0, confidence=0.8)


def records(count: int, rung_score: Callable[[float], float]) -> list[Record]:
    """Programs of one cell with full scores from .5 to .9, in two rungs of 10 and 30 of 100 images."""
    found = []
    for number in range(count):
        score = 0.5 + 0.4 * number / (count - 1)
        place = {"params": 5 + number / 1000, "efficiency": -8.0}
        rungs = tuple(place | {"mean_val_auc": rung_score(score), "cost": cost} for cost in (10, 30))
        full = Full(score, 0.01, score, 100, {"breastmnist": [[score, score]]})
        found.append(Record(str(number), "", rungs, (full, full)))
    return found


def test_a_rung_that_tells_everything_saves_most_of_the_training_and_loses_nothing() -> None:
    programs = records(60, lambda score: score - 0.1)
    for seed in range(5):
        found = replay(programs, CONFIG, RULE, seed)
        assert found.best == 0.9
        assert found.cells == 1.0
        assert found.spent < 0.4
        assert found.until_best is not None


def test_a_rung_that_tells_nothing_loses_good_programs_and_the_figures_say_so() -> None:
    rng = random.Random(0)
    programs = records(60, lambda score: rng.random())
    replays = [replay(programs, CONFIG, RULE, seed) for seed in range(10)]
    assert any(found.best < 0.9 and found.until_best is None for found in replays)
    assert sum(found.recall for found in replays) / 10 < 0.7


def test_too_few_programs_to_learn_from_are_all_evaluated_in_full() -> None:
    found = replay(records(4, lambda score: score), CONFIG, RULE, seed=0)
    assert (found.spent, found.promoted, found.recall) == (1, 1, 1)


@pytest.mark.parametrize(("predictor", "found"), [(range(10), 1.0), (range(10, 0, -1), 0.0)])
def test_recall_is_the_share_of_the_top_fifth_found(predictor: range, found: float) -> None:
    assert recall(list(predictor), list(range(10))) == found


def test_the_report_has_a_line_for_every_rung_and_leaves_failures_out() -> None:
    report = analysis([*records(10, lambda score: score**2), Record("broken", "crashed: it")], CONFIG)
    assert "programs: 11, of which 1 failed" in report
    assert "cost of the rungs: 10.0%, 30.0% of a full evaluation" in report
    for line in ("rung 1, full score that", "rung 2, full score with", "full score, its own repeat"):
        assert f"\n{line}" in report


def test_records_survive_their_file(tmp_path: Path) -> None:
    (record, *_) = records(2, lambda score: score)
    append(tmp_path / "records.jsonl", record)
    assert read_records(tmp_path / "records.jsonl") == {record.name: record}
