"""What trackers are told, read back by the trackers' own readers."""

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.errors import UserError
from openevolve.inspect.tracking import Tracking, figures, tracking_of
from openevolve.search.final import scores_of_best
from openevolve.state.journal import read_journal
from openevolve.state.replay import replay
from openevolve.state.state import State
from tests.support import finals
from tests.support.inspected import hostile_run
from tests.support.scripted import settings

Series = dict[str, dict[int, float]]


def run(folder: Path, tracking: str, iterations: int = 8) -> Result:
    overrides = (*finals.OVERRIDES, f"max_iterations={iterations}", f"tracking={tracking}")
    return execute(finals.plan_of(folder, settings(*overrides)), PlainDisplay())


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not there")


def check(found: Series, state: State) -> None:
    """Every committed program has its figures at its own step, and the final is at the last."""
    last = len(state.committed) - 1
    for step, iteration in enumerate(state.committed):
        outcome = state.outcomes[iteration]
        if outcome.evaluated:
            assert found["program/fitness"][step] == pytest.approx(outcome.metrics["combined_score"])
        else:
            assert step not in found.get("program/fitness", {})
    assert set(found["run/hours"]) == set(range(last + 1))
    best = [found["best/measured"][step] for step in sorted(found["best/measured"])]
    assert best == sorted(best)
    assert found["final/final"][last] == pytest.approx(scores_of_best(state)["final"])


@needs("tensorboard")
def test_tensorboard_and_a_run_that_goes_on(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, "tensorboard", iterations=4)
    result = run(tmp_path, "tensorboard")
    reader = EventAccumulator(str(tmp_path / "out/tensorboard"), size_guidance={"scalars": 0})
    reader.Reload()
    found: Series = {
        tag: {event.step: event.value for event in reader.Scalars(tag)} for tag in reader.Tags()["scalars"]
    }
    check(found, result.state)
    [text, *_] = reader.Tensors("settings/text_summary")
    assert b"max_iterations: 4" in text.tensor_proto.string_val[0]


@needs("mlflow")
def test_mlflow(tmp_path: Path) -> None:
    result = run(tmp_path, "mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient((tmp_path / "out/mlruns").resolve().as_uri())
    experiment = client.get_experiment_by_name("openevolve")
    assert experiment is not None
    [found] = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["max_iterations"] == "8"
    names = found.data.metrics
    history = {n: {m.step: m.value for m in client.get_metric_history(found.info.run_id, n)} for n in names}
    check(history, result.state)


@needs("wandb")
def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb_home"))
    result = run(tmp_path, "wandb")
    [path] = (tmp_path / "out/wandb").glob("offline-run-*/*.wandb")
    content = path.read_bytes()  # there is no reader of it but the service: values stand in it as JSON
    for iteration, outcome in result.state.outcomes.items():
        if outcome.evaluated:
            assert repr(outcome.metrics["combined_score"]).encode() in content, iteration
    assert repr(scores_of_best(result.state)["final"]).encode() in content
    assert b"program/fitness" in content


class Broken:
    def begin(self, settings: Mapping[str, Any]) -> None: ...

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        raise OSError("the disk is full")

    def close(self) -> None:
        raise AssertionError("it had ended")


def test_a_tracker_that_fails_fails_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = hostile_run(tmp_path) / "journal.jsonl"
    tracking, state = Tracking(Broken()), State()
    with caplog.at_level(logging.WARNING):
        for event in read_journal(journal):
            state.apply(event)
            tracking.observe(event, state)
    assert caplog.text.count("tracking has ended, the run goes on: OSError: the disk is full") == 1


def test_nothing_of_the_test_split_is_told(tmp_path: Path) -> None:
    state = replay(hostile_run(tmp_path) / "journal.jsonl")
    for iteration in state.committed:
        assert not any("test" in name for name in figures(state, iteration))


def test_without_its_package_a_run_says_so_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.compat.proto", None)
    with pytest.raises(UserError, match=r"tracking: tensorboard: expected its extra.*\[tensorboard\]"):
        tracking_of(settings("tracking=tensorboard"), tmp_path)
    with pytest.raises(UserError, match=r"tracking"):
        settings("tracking=comet")
