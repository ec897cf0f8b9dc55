"""Settings of a run that goes on: read as they were, refused where its scores rest on them."""

import json
import re
from pathlib import Path

import pytest

from medevonet.run.settings import CONFIG, check_protocol, load_settings
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.settings.files import public_settings
from openevolve.settings.layers import by_source


def test_a_run_goes_on_with_the_protocol_that_its_scores_rest_on() -> None:
    own = {"name": "mine", "path": "here/mine.npz", "label_kind": "binary"}
    recorded = TaskConfig.model_validate({"datasets": [own, "breastmnist"], "size": 28})
    moved = TaskConfig.model_validate({"datasets": [own | {"path": "there.npz"}, "breastmnist"], "size": 28})
    for name, value in (("threads", 1), ("data_root", Path("x")), ("download", False)):
        check_protocol(recorded, moved.model_copy(update={name: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"datasets": ["breastmnist"]}, {"size": 64}, {"epochs": 3}, {"batch_size": 32}, {"max_lr": 0.1},
        {"weight_decay": 0.0}, {"seed": 1}, {"seeds": {}}, {"precision": "fp32"}, {"rung_shares": [0.3]},
        {"rung_epochs": 3}, {"rung_size": 28}, {"device": "cpu"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_run_does_not_go_on_with_scores_that_cannot_be_compared(change: dict[str, object]) -> None:
    ((name, value),) = change.items()
    with pytest.raises(UserError, match=rf"task\.{name} is .*, not {re.escape(str(value))}\. Leave"):
        check_protocol(TaskConfig(), TaskConfig.model_validate(change))


def test_settings_of_a_run_with_a_single_rung_are_still_read(tmp_path: Path) -> None:
    """``task.rung_share`` was a number before there were several rungs."""
    settings = {"task": {"size": 28, "rung_share": 0.15}, "fidelity": "full"}
    (tmp_path / "run_info.json").write_text(json.dumps({"config": settings}), encoding="utf-8")
    config = load_settings(tmp_path / "run_info.json", ["task.epochs=3"])
    assert TaskConfig.model_validate(config.task) == TaskConfig(size=28, rung_shares=[0.15], epochs=3)


def test_a_file_of_a_few_lines_lies_over_the_projects_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("max_iterations: 3\ntask: {epochs: 2}\n", encoding="utf-8")
    config = load_settings(own, ["task.size=28"])
    assert (config.max_iterations, config.database.fitness_metric) == (3, "mean_val_auc")
    assert set(config.features) == {"params", "efficiency"}
    assert "create_model" in config.prompt.system_message
    assert (config.task["epochs"], config.task["size"], config.task["batch_size"]) == (2, 28, 64)
    assert config.origins["task.epochs"] == str(own)
    assert config.origins["task.size"] == "--set"
    assert config.origins["task.batch_size"] == str(CONFIG)
    alone = load_settings(own, [], below=None)
    assert (alone.max_iterations, alone.features, alone.evaluator.preload) == (3, {}, [])


def test_a_run_that_goes_on_knows_where_its_settings_came_from(tmp_path: Path) -> None:
    first = load_settings(None, ["lag=4"])
    path = tmp_path / "run_info.json"
    sources = by_source(first.origins)
    path.write_text(json.dumps({"config": public_settings(first), "sources": sources}), encoding="utf-8")
    again = load_settings(path, ["lag=5", "llm.top_p=1"])
    assert again.origins["lag"] == again.origins["llm.top_p"] == "--set"
    assert again.origins["task.size"] == str(CONFIG)
    assert again.origins["target_score"] == "default"
    with pytest.raises(UserError, match=r"^--set: task\.epochs: expected at least 1, found 0$"):
        load_settings(path, ["task.epochs=0"])
