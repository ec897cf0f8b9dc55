"""What a run finds out about its device before it starts; there need not be a GPU for it."""

from pathlib import Path

import pytest

from medevonet.run import device_trial as trial
from medevonet.sandboxed.hardware import cpu_has_bf16
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs

TASK = TaskConfig(size=28, batch_size=8, threads=1)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(programs.SOUND, encoding="utf-8")
    return path


def pretend_a_driver(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(trial, "may_have_gpu", lambda: there)


def test_the_precision_is_settled_before_a_run(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_a_driver(monkeypatch, there=False)
    expected = "bf16" if cpu_has_bf16() else "fp32"
    task, device = trial.settle_device(TASK, program, "strict")
    assert task == TASK.model_copy(update={"precision": expected})
    assert device == "NO GPU FOUND: the CPU, 1 threads for a program"
    asked = TASK.model_copy(update={"device": "cpu", "precision": "fp32"})
    assert trial.settle_device(asked, program, "strict") == (asked, "cpu")


def test_a_card_that_programs_cannot_use_is_said_aloud(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_a_driver(monkeypatch, there=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    task, device = trial.settle_device(TASK, program, "strict")
    assert device.startswith("THE CPU, though a driver knows of a GPU")
    assert task.precision in ("bf16", "fp32")


def test_a_device_that_is_none_ends_a_run_before_it_starts(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match=r"task\.device: expected auto, cpu or a GPU"):
        trial.settle_device(TASK.model_copy(update={"device": "cuda:0"}), program, "strict")


def test_a_seed_that_fails_is_left_to_the_run(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("nothing = 0\n", encoding="utf-8")
    task = TASK.model_copy(update={"device": "meta"})
    assert trial.settle_device(task, program, "strict") == (
        task,
        "meta (the trial of the seed program failed)",
    )


def test_the_trial_takes_the_card_of_the_first_slot(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = "import os\nassert os.environ['CUDA_VISIBLE_DEVICES'] == '7'\n"
    program.write_text(seen + programs.SOUND, encoding="utf-8")
    task = TASK.model_copy(update={"device": "cpu"})
    assert trial.measure(task, program, "strict", gpus="7").device == "cpu"
    with pytest.raises(EvaluationFailed, match="KeyError"):
        trial.measure(task, program, "strict")
