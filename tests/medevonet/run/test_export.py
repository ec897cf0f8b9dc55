"""A confirmed training taken away: repeated, checked against what was kept, run by onnxruntime."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from medevonet.referee.evaluation import Limits
from medevonet.run.command import main
from medevonet.run.confirm import Listed, freeze, train_all
from medevonet.run.folder import create_run
from medevonet.run.info import write_run_info
from tests.support import programs
from tests.support.tiny_task import TinyTask

ID = "10000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: TinyTask) -> Path:
    """With one program trained twice."""
    run = create_run(tmp_path_factory.mktemp("runs"))
    task = tiny.config(epochs=1)
    write_run_info(run, {"task": task.model_dump(mode="json"), "evaluator": {"isolation": "process"}}, {})
    listed = freeze(run, lambda: [Listed(ID, 3, 0.9, 0.9, 2000, programs.SOUND)], 2)
    train_all(run, listed, 2, task, Limits(60), "process", 1)
    return run


def test_an_export_is_the_confirmed_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", ID[:4], str(run), "--training", "2", "--onnx"]) == 0, capsys.readouterr().err
    folder = run / "export" / ID
    assert f"exported: {folder}" in capsys.readouterr().out
    assert (folder / "program.py").read_text() == programs.SOUND
    checked = json.loads((folder / "recipe.json").read_text())["checked"]
    assert sorted(checked) == ["four", "labels", "two"]
    for name, differences in checked.items():
        assert differences["to_confirmation"] <= 1e-4
        assert differences["onnx_to_pytorch"] <= 1e-4
        weights = torch.load(folder / name / "weights.pt", weights_only=True)
        assert weights["conv.weight"].shape == (8, 3, 3, 3)
    assert main(["export", ID, str(run)]) == 2
    assert "found one in use" in capsys.readouterr().err


def test_a_training_that_comes_out_differently_is_not_exported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("export"))
    kept = other / "confirmation" / "seed_0" / f"{ID}.npz"
    arrays = dict(np.load(kept))
    arrays["four_val_probs"] = arrays["four_val_probs"][:, ::-1]
    np.savez(kept, **arrays)
    assert main(["export", "3", str(other)]) == 2
    assert (
        "four: expected the probabilities of the confirmed training, found others" in capsys.readouterr().err
    )
    assert list((other / "export").iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["2000"], "found 0 with training 1; there are 3"),
        ([""], "found 0 with training 1"),
        ([ID, "--training", "3"], "found 0 with training 3; there are none"),
    ],
)
def test_what_was_not_confirmed_is_refused(
    run: Path, wrong: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", wrong[0], str(run), *wrong[1:]]) == 2
    assert told in capsys.readouterr().err
