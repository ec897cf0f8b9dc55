"""What a run finds out about its device before it starts; there need not be a GPU for it."""

from pathlib import Path

import pytest
import torch

from medevonet.run import device_trial as trial
from medevonet.run.settings import check_protocol
from medevonet.sandboxed import hardware
from medevonet.sandboxed.hardware import cpu_has_bf16
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Level
from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs

TASK = TaskConfig(size=28, batch_size=8, threads=1)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(programs.SOUND, encoding="utf-8")
    return path


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, *drivers: str) -> None:
    """As if these drivers alone were here; candidates, which are forked from here, believe it too."""
    (folder / "node").touch()
    paths = {name: str(folder / ("node" if name in drivers else "none")) for name in hardware._DRIVERS}
    monkeypatch.setattr(hardware, "_DRIVERS", paths)


def test_the_device_and_the_precision_are_settled_before_a_run(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, tmp_path)
    expected = "bf16" if cpu_has_bf16() else "fp32"
    task, device = trial.settle_device(TASK, program, "strict")
    assert task == TASK.model_copy(update={"device": "cpu", "precision": expected})
    assert device == "NO GPU FOUND: the CPU, 1 threads for a program"
    asked = TASK.model_copy(update={"device": "cpu", "precision": "fp32"})
    assert trial.settle_device(asked, program, "strict") == (asked, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and programs get it")
@pytest.mark.parametrize("level", ["strict", "process"])
def test_a_card_that_programs_cannot_use_ends_a_run_before_it_starts(
    level: Level, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a run on the CPU in silence: what PyTorch says is said, and what to do."""
    pretend(monkeypatch, tmp_path, hardware.NVIDIA)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError, match=r"programs get the CPU: (Found no NVIDIA|.*CUDA).*task\.device=cpu"):
        trial.settle_device(TASK, program, level)
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES names no GPU"):
        trial.settle_device(TASK, program, level, gpus="")
    asked = TASK.model_copy(update={"device": "cpu"})
    assert trial.settle_device(asked, program, level)[1] == "cpu"


@pytest.mark.parametrize("driver", [hardware.WSL2, hardware.AMD])
def test_drivers_that_walls_do_not_know_are_refused_by_name(
    driver: str, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, tmp_path, driver)
    with pytest.raises(UserError, match=f"behind {driver}, which walls cannot let .*isolation=process"):
        trial.settle_device(TASK, program, "strict")


def test_where_walls_are_the_cause_they_are_named(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that needs a file trains without walls alone: as one would whose driver does."""
    pretend(monkeypatch, tmp_path, hardware.NVIDIA)
    (tmp_path / "needed").write_text("x")
    program.write_text(f"open({str(tmp_path / 'needed')!r})\n{programs.SOUND}", encoding="utf-8")
    task = TASK.model_copy(update={"device": "cpu:0"})  # a device that is asked for is tried
    words = r"within walls as it does without them \(cpu\), found: .*Permission.*isolation=process"
    with pytest.raises(UserError, match=words):
        trial.settle_device(task, program, "strict")
    assert trial.settle_device(task, program, "process")[1] == "cpu"


def test_the_kind_of_device_is_part_of_the_protocol() -> None:
    on_gpu = TASK.model_copy(update={"device": "cuda:0"})
    check_protocol(on_gpu, on_gpu.model_copy(update={"device": "cuda:1"}))
    with pytest.raises(UserError, match=r"task\.device"):
        check_protocol(on_gpu, on_gpu.model_copy(update={"device": "cpu"}))


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
