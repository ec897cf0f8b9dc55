"""Settings of a run that goes on: read as they were, refused where its scores rest on them."""

import json
import re
from pathlib import Path

import pytest

from medevonet.run.settings import check_protocol, load_settings
from medevonet.task import TaskConfig
from openevolve.errors import UserError


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
