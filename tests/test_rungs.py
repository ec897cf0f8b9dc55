"""The cheap rung: what it trains, what it costs, and that a promoted program does not repeat it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medevonet.evaluation import CheapResult, Evaluation, evaluate_in_rungs
from medevonet.rungs import full_cost, plan_cheap_rung
from openevolve.evaluation_result import EvaluationFailed
from openevolve.isolation.watch import children_of
from run_utils import TaskConfig
from tests import programs
from tests.tiny_task import COUNTS, KINDS, TinyTask

FIVE = {
    "breastmnist": 546, "pneumoniamnist": 4708, "octmnist": 97477, "dermamnist": 7007, "chestmnist": 78468
}  # fmt: skip

LEARNS_NOTHING = programs.sound(forward="x = x * 0").replace("return self.head", "return 0 * self.head")


def test_of_the_five_datasets_the_small_ones_are_trained_in_full() -> None:
    plan = plan_cheap_rung(FIVE, TaskConfig())
    assert plan.whole == ("breastmnist", "pneumoniamnist", "dermamnist")
    assert set(plan.brief) == {"octmnist", "chestmnist"}
    assert all(brief.epochs == 2 and brief.images > 10_000 for brief in plan.brief.values())


def test_a_training_too_brief_to_rank_networks_is_left_out() -> None:
    two = {name: FIVE[name] for name in ("breastmnist", "pneumoniamnist")}
    plan = plan_cheap_rung(two, TaskConfig())
    assert (plan.whole, plan.brief) == (("breastmnist",), {})


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 200_000), min_size=1, max_size=6),
    st.floats(0.01, 0.9),
    st.integers(1, 40),
)
def test_the_cheap_rung_keeps_to_its_share(counts: dict[str, int], share: float, epochs: int) -> None:
    task = TaskConfig(rung_share=share, epochs=epochs)
    plan = plan_cheap_rung(counts, task)
    looked_at = [*plan.whole, *plan.brief]
    assert looked_at
    assert len(set(looked_at)) == len(looked_at)
    assert all(1 <= brief.images <= counts[name] for name, brief in plan.brief.items())
    assert all(1 <= brief.epochs <= epochs for brief in plan.brief.values())
    cost = sum(counts[name] * epochs for name in plan.whole) + sum(b.cost for b in plan.brief.values())
    least = 50 * task.batch_size  # what one data set is judged by, however small the share
    assert cost <= max(share * full_cost(counts, task), least)
    largest_whole = max((counts[name] for name in plan.whole), default=0)
    assert all(largest_whole <= count for name, count in counts.items() if name not in plan.whole)


def in_rungs(tiny: TinyTask, code: str, **changes: Any) -> Any:
    artifacts = tiny.folder / "rungs"
    return evaluate_in_rungs(tiny.write(code), tiny.config(**changes), artifacts, launcher=tiny.launcher)


def test_a_promoted_program_gets_the_score_of_a_full_evaluation(tiny: TinyTask) -> None:
    settings: dict[str, Any] = {"epochs": 12, "batch_size": 8, "max_lr": 0.001}
    cheap, full = in_rungs(tiny, programs.SOUND, rung_share=0.95, **settings)
    whole = tiny.evaluate(programs.SOUND, **settings)
    assert isinstance(cheap, CheapResult)
    assert isinstance(full, Evaluation)
    first, last, expected = cheap.result().metrics, full.result().metrics, whole.result().metrics
    assert last == {**expected, "cost": last["cost"]}
    everything = len(KINDS) * COUNTS["train"] * 12
    assert expected["cost"] == everything
    # Two data sets were trained in full on the cheap rung, and not again: only the brief training is extra.
    assert [first[f"{name}_val_auc"] == last[f"{name}_val_auc"] for name in KINDS] == [True, True, False]
    brief = first["cost"] - 2 / 3 * everything
    assert 0 < brief < 96 * 12
    assert last["cost"] == everything + brief


def test_the_cheap_result_places_a_program_in_its_cell(tiny: TinyTask) -> None:
    cheap = next(in_rungs(tiny, programs.SOUND)).result()
    expected = tiny.sound.result().metrics
    for name in ("params", "efficiency", "param_count", "multiply_adds"):
        assert cheap.metrics[name] == expected[name]
    assert set(expected) - set(cheap.metrics) == {"mean_val_auc_se", "four_val_auc", "labels_val_auc"}
    assert "test" not in str(cheap.artifacts)


def test_closing_leaves_a_record_and_no_process(tiny: TinyTask) -> None:
    name = "0e2f1c5e-6d2b-4c50-9d33-222222222222"
    before = children_of(os.getpid())
    rungs = evaluate_in_rungs(
        tiny.write(programs.SOUND, name), tiny.config(), tiny.folder, launcher=tiny.launcher
    )
    cheap = next(rungs)
    rungs.close()  # type: ignore[attr-defined]
    record = json.loads((tiny.folder / f"{name}.json").read_text())
    assert (record["status"], record["cost"]) == ("cheap rung", cheap.cost)
    assert isinstance(cheap, CheapResult)
    assert record["cheap_rung"]["val_auc"] == cheap.val_aucs
    assert (tiny.folder / f"{name}.npz").is_file()
    server = tiny.launcher._process.pid  # type: ignore[attr-defined]
    assert children_of(server) == []
    assert children_of(os.getpid()) == before


def test_a_network_that_cannot_learn_a_batch_by_heart_fails_at_once(tiny: TinyTask) -> None:
    with pytest.raises(EvaluationFailed, match="expected the loss on a single batch to fall") as failure:
        next(in_rungs(tiny, LEARNS_NOTHING))
    assert failure.value.kind == "diverged"


def test_the_evaluator_offers_both(tmp_path: Path, tiny: TinyTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine calls, as in a run."""
    import evaluator
    from openevolve.isolation.client import LAUNCHER_VARIABLE
    from run_utils import ARTIFACTS_VARIABLE, TASK_VARIABLE

    monkeypatch.setenv(LAUNCHER_VARIABLE, str(tiny.launcher._connection.fileno()))
    monkeypatch.setenv(ARTIFACTS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(TASK_VARIABLE, tiny.config(datasets=tiny.one).model_dump_json())
    monkeypatch.chdir(tmp_path)
    program = str(tiny.write(programs.SOUND))
    *_, last = evaluator.evaluate_rungs(program)
    whole = evaluator.evaluate(program)
    assert last.metrics["mean_val_auc"] == whole.metrics["mean_val_auc"]
