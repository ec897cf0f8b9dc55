"""An evaluation that was interrupted goes on after the trainings that it had finished."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from medevonet.data.dataset import Dataset
from medevonet.referee import scoring
from medevonet.referee.evaluation import Limits, evaluate_in_rungs, evaluate_program
from medevonet.referee.results import Evaluation
from medevonet.referee.scoring import EpochReport
from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs
from tests.support.tiny_task import TinyTask


class Interrupted(BaseException):
    """What ends a process in the middle of a training."""


def evaluate(tiny: TinyTask, name: str, code: str, interrupt_at: int = 99, **changes: Any) -> Evaluation:
    """``interrupt_at``: so many trainings end, the next does not."""
    ended = 0

    def on_epoch(dataset: Dataset, report: EpochReport) -> None:
        nonlocal ended
        if ended == interrupt_at:
            raise Interrupted
        ended += report.epoch == 2

    return evaluate_program(
        tiny.write(code, name), tiny.config(**changes), tiny.folder / "kept", limits=Limits(60),
        launcher=tiny.launcher, on_epoch=on_epoch,
    )  # fmt: skip


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The data sets of trainings, as they begin."""
    found: list[str] = []
    train = scoring.train

    def counted(candidate: Any, *rest: Any) -> Any:
        found.append(candidate.dataset.name)
        return train(candidate, *rest)

    monkeypatch.setattr(scoring, "train", counted)
    return found


def left(tiny: TinyTask) -> list[Path]:
    return [*(tiny.folder / "kept").glob("*.unfinished")]


def test_what_was_trained_is_not_trained_again(tiny: TinyTask, trained: list[str]) -> None:
    name = str(uuid4())
    with pytest.raises(Interrupted):
        evaluate(tiny, name, programs.SOUND, interrupt_at=2)
    assert trained == ["two", "four", "labels"]
    trained.clear()
    resumed = evaluate(tiny, name, programs.SOUND)
    assert trained == ["labels"]
    assert resumed.result() == tiny.sound.result()
    assert resumed.cost == tiny.sound.cost
    assert left(tiny) == []


@pytest.mark.parametrize("change", ["program", "protocol", "damage"])
def test_trainings_of_something_else_count_for_nothing(
    change: str, tiny: TinyTask, trained: list[str]
) -> None:
    name = str(uuid4())
    with pytest.raises(Interrupted):
        evaluate(tiny, name, programs.SOUND, interrupt_at=1)
    if change == "damage":
        [folder] = left(tiny)
        [file] = folder.iterdir()
        file.write_bytes(file.read_bytes()[:200])
    trained.clear()
    code = programs.SOUND + "\n# another\n" if change == "program" else programs.SOUND
    other: dict[str, Any] = {"weight_decay": 0.5} if change == "protocol" else {}
    evaluate(tiny, name, code, **other)
    assert trained == ["two", "four", "labels"]
    assert left(tiny) == []


def test_nothing_is_left_of_a_program_that_failed_or_was_rejected(tiny: TinyTask) -> None:
    failing = programs.SOUND + "\nimport sys\nsys.exit(3)\n"
    with pytest.raises(EvaluationFailed):
        evaluate(tiny, str(uuid4()), failing)
    rungs = evaluate_in_rungs(
        tiny.write(programs.SOUND, str(uuid4())), tiny.config(rung_shares=[0.4, 0.7]), tiny.folder / "kept",
        limits=Limits(60), launcher=tiny.launcher,
    )  # fmt: skip
    next(rungs)
    assert len(left(tiny)) == 1
    rungs.close()  # type: ignore[attr-defined]
    assert left(tiny) == []


def test_a_program_without_a_name_of_a_run_leaves_nothing(tiny: TinyTask) -> None:
    with pytest.raises(Interrupted):
        evaluate(tiny, "program", programs.SOUND, interrupt_at=1)
    assert left(tiny) == []
