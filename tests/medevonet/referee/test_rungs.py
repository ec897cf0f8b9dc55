"""Rungs: what they train, what they cost, and that a promoted program does not repeat it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medevonet.referee.evaluation import evaluate_in_rungs
from medevonet.referee.results import Evaluation, RungResult
from medevonet.referee.rungs import downsampling_factor, full_cost, plan_rungs
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation.watch import children_of
from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs
from tests.support.tiny_task import COUNTS, KINDS, TinyTask

FIVE = {
    "breastmnist": 546, "pneumoniamnist": 4708, "octmnist": 97477, "dermamnist": 7007, "chestmnist": 78468
}  # fmt: skip

LEARNS_NOTHING = programs.sound(forward="x = x * 0").replace("return self.head", "return 0 * self.head")


def test_of_the_five_datasets_the_small_ones_are_trained_in_full() -> None:
    (rung,) = plan_rungs(FIVE, TaskConfig(), downsampling=4)
    breast = [("breastmnist", repeat) for repeat in range(3)]
    assert rung.trainings == (*breast, ("pneumoniamnist", 0), ("dermamnist", 0))
    assert {name: brief.images for name, brief in rung.brief.items()} == {
        "octmnist": FIVE["octmnist"], "chestmnist": FIVE["chestmnist"]
    }  # fmt: skip
    assert all(brief.epochs > 2 for brief in rung.brief.values())


def test_images_of_full_size_leave_less_to_see() -> None:
    (rung,) = plan_rungs(FIVE, TaskConfig(), downsampling=1)
    assert set(rung.brief) == {"octmnist", "chestmnist"}
    assert all(brief.epochs == 2 and brief.images > 10_000 for brief in rung.brief.values())


def test_of_the_two_small_datasets_the_smallest_is_climbed_in_steps() -> None:
    """14 steps on the other one would rank networks by luck."""
    two = {name: FIVE[name] for name in ("breastmnist", "pneumoniamnist")}
    rungs = plan_rungs(two, TaskConfig(size=28), downsampling=1)
    assert [rung.trainings for rung in rungs] == [(("breastmnist", repeat),) for repeat in range(3)]
    assert not any(rung.brief for rung in rungs)


@pytest.mark.parametrize(("size", "factor"), [(28, 1), (64, 1), (128, 2), (224, 4), (500, 5), (512, 8)])
def test_images_are_shrunk_by_whole_pixels_to_no_less_than_asked_for(size: int, factor: int) -> None:
    assert downsampling_factor(TaskConfig(size=size)) == factor


@given(
    st.dictionaries(st.sampled_from(sorted(FIVE)), st.integers(1, 200_000), min_size=1, max_size=len(FIVE)),
    st.lists(st.floats(0.01, 0.9), min_size=1, max_size=3, unique=True).map(sorted),
    st.integers(1, 40),
    st.dictionaries(st.sampled_from(sorted(FIVE)), st.integers(1, 4)),
    st.integers(1, 8),
)
def test_rungs_keep_to_their_shares_and_repeat_nothing(
    counts: dict[str, int], shares: list[float], epochs: int, seeds: dict[str, int], downsampling: int
) -> None:
    task = TaskConfig(rung_shares=shares, epochs=epochs, seeds=seeds)
    rungs = plan_rungs(counts, task, downsampling)
    assert len(rungs) <= len(shares)
    trainings = [training for rung in rungs for training in rung.trainings]
    assert len(set(trainings)) == len(trainings)
    todo = {(name, repeat) for name in counts for repeat in range(task.repeats(name))} - set(trainings)
    assert max((counts[name] for name, _ in trainings), default=0) <= min(counts[name] for name, _ in todo)
    cost = 0
    by_shares = iter(shares)
    for number, rung in enumerate(rungs):
        assert number == 0 or not rung.brief
        assert not set(rung.brief) & {name for name, _ in rung.trainings}
        assert all(1 <= brief.images <= counts[name] for name, brief in rung.brief.items())
        assert all(1 <= brief.epochs <= epochs for brief in rung.brief.values())
        cost += sum(counts[name] * epochs for name, _ in rung.trainings)
        cost += sum(brief.cost for brief in rung.brief.values())
        # Rungs that would add nothing are left out: the next share that is enough. Costs are rounded up.
        assert any(cost <= share * full_cost(counts, task) + len(counts) for share in by_shares)
    whole = [
        [rung.trainings for rung in plan_rungs(counts, task, by) if rung.trainings]
        for by in (1, downsampling)
    ]
    assert whole[0] == whole[1]


def test_what_is_left_of_one_rung_is_for_the_next() -> None:
    rungs = plan_rungs({"breastmnist": 546}, TaskConfig(seeds={"breastmnist": 10}), downsampling=1)
    assert [len(rung.trainings) for rung in rungs] == [1, 1, 1]


def test_where_nothing_cheap_tells_anything_there_is_no_rung() -> None:
    assert plan_rungs({"breastmnist": 546}, TaskConfig(size=28, seeds={}), downsampling=1) == ()


def in_rungs(tiny: TinyTask, code: str, **changes: Any) -> Any:
    artifacts = tiny.folder / "rungs"
    return evaluate_in_rungs(tiny.write(code), tiny.config(**changes), artifacts, launcher=tiny.launcher)


def test_a_promoted_program_gets_the_score_of_a_full_evaluation(tiny: TinyTask) -> None:
    settings: dict[str, Any] = {"epochs": 12, "batch_size": 8, "max_lr": 0.001}
    first, second, full = in_rungs(tiny, programs.SOUND, rung_shares=[0.6, 0.95], **settings)
    whole = tiny.evaluate(programs.SOUND, **settings)
    assert isinstance(full, Evaluation)
    last, expected = full.result().metrics, whole.result().metrics
    assert last == {**expected, "cost": last["cost"]}
    everything = len(KINDS) * COUNTS["train"] * 12
    assert expected["cost"] == everything
    # Each rung trains on one data set in full, which is not done again: only brief trainings are extra.
    for rung, same in ((first, [True, False, False]), (second, [True, True, False])):
        assert isinstance(rung, RungResult)
        assert [rung.val_aucs[name] == last[f"{name}_val_auc"] for name in KINDS] == same
    assert first.val_aucs["labels"] == second.val_aucs["labels"]
    brief = first.cost - everything / 3
    assert 0 < brief < 0.27 * everything
    assert second.cost == first.cost + everything / 3
    assert last["cost"] == everything + brief


def test_brief_trainings_are_of_smaller_images_where_the_network_allows_it(tiny: TinyTask) -> None:
    """At the same cost: four times as many images of a quarter of the size."""
    settings: dict[str, Any] = {"rung_shares": [0.2], "epochs": 12, "rung_size": 8, "batch_size": 8}
    small, large = (
        next(in_rungs(tiny, programs.sound(forward=forward), **settings))
        for forward in ("", "assert x.shape[-1] == 16")
    )
    assert set(small.val_aucs) == set(large.val_aucs) == set(KINDS)
    assert abs(small.cost - large.cost) < 0.1 * large.cost


@pytest.mark.parametrize(
    "forward",
    [
        "if x.shape[-1] < 16: x = x * float('nan')",
        "if x.shape[-1] < 16: x = x + x.std((2, 3), keepdim=True) * float('inf')",
        "import os\nif x.shape[-1] < 16: os._exit(1)",
    ],
)
def test_what_a_network_does_on_smaller_images_is_no_fault(tiny: TinyTask, forward: str) -> None:
    settings: dict[str, Any] = {"rung_shares": [0.2], "epochs": 12, "rung_size": 8, "batch_size": 8}
    rung = next(in_rungs(tiny, programs.sound(forward=forward), **settings))
    assert set(rung.val_aucs) == set(KINDS)


def test_the_cheap_result_places_a_program_in_its_cell(tiny: TinyTask) -> None:
    cheap = next(in_rungs(tiny, programs.SOUND, epochs=12, batch_size=8, rung_shares=[0.4])).result()
    expected = tiny.sound.result().metrics
    for name in ("params", "efficiency", "param_count", "multiply_adds"):
        assert cheap.metrics[name] == expected[name]
    assert set(expected) - set(cheap.metrics) == {"mean_val_auc_se", "four_val_auc", "labels_val_auc"}
    assert "test" not in str(cheap.artifacts)


def test_closing_leaves_a_record_and_no_process(tiny: TinyTask) -> None:
    name = "0e2f1c5e-6d2b-4c50-9d33-222222222222"
    before = children_of(os.getpid())
    rungs = evaluate_in_rungs(
        tiny.write(programs.SOUND, name), tiny.config(rung_shares=[0.4]), tiny.folder, launcher=tiny.launcher
    )
    cheap = next(rungs)
    rungs.close()  # type: ignore[attr-defined]
    record = json.loads((tiny.folder / f"{name}.json").read_text())
    assert (record["status"], record["cost"]) == ("rung", cheap.cost)
    assert isinstance(cheap, RungResult)
    assert record["rung"]["val_auc"] == cheap.val_aucs
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
    from medevonet.run.environment import ARTIFACTS_VARIABLE, TASK_VARIABLE
    from openevolve.evaluating.isolation.client import LAUNCHER_VARIABLE

    monkeypatch.setenv(LAUNCHER_VARIABLE, str(tiny.launcher._connection.fileno()))
    monkeypatch.setenv(ARTIFACTS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(TASK_VARIABLE, tiny.config(datasets=tiny.one).model_dump_json())
    monkeypatch.chdir(tmp_path)
    program = str(tiny.write(programs.SOUND))
    *_, last = evaluator.evaluate_rungs(program)
    whole = evaluator.evaluate(program)
    assert last.metrics["mean_val_auc"] == whole.metrics["mean_val_auc"]
