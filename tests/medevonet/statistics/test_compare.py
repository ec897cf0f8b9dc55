"""The ``compare`` command of metrics_utils, from its numbers to its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medevonet.statistics.summaries import DatasetPredictions, SplitPredictions, compare, main
from openevolve.errors import UserError
from tests import PROJECT
from tests.support.sample_predictions import artifact, predictions, replaced


def test_compare_is_antisymmetric() -> None:
    forward = compare(predictions(0), predictions(1), "test", seed=0, replicates=300)
    backward = compare(predictions(1), predictions(0), "test", seed=0, replicates=300)
    for dataset in ("breast", "derma", "my_chest"):
        a, b = forward["datasets"][dataset], backward["datasets"][dataset]
        assert b["difference"] == -a["difference"] != 0
        assert b["ci95"] == pytest.approx([-a["ci95"][1], -a["ci95"][0]])
        for p_value in ("bootstrap_p", "bootstrap_p_holm", "delong_p", "delong_p_holm"):
            assert b[p_value] == a[p_value]


def test_compare_refuses_other_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    labels = predictions(1)["derma"].test.labels.copy()
    labels[[0, -1]] = 1 - labels[[0, -1]] % 2
    replaced(second, "derma_test_labels", labels)
    assert main(["compare", str(first), str(second)]) == 2
    assert "derma, test split: expected the same cases in A and B" in capsys.readouterr().err
    assert main(["compare", str(first), str(second), "--split", "val", "--replicates", "100"]) == 0

    with pytest.raises(UserError, match="found breast in A and breast, derma, my_chest in B"):
        compare({"breast": predictions(0)["breast"]}, predictions(1), "test", 0, 100)


def test_compare_names_the_data_set_whose_auc_is_undefined() -> None:
    cases = SplitPredictions(np.random.default_rng(0).random((5, 2), np.float32), np.ones((5, 1), np.uint8))
    one_class = {"mine": DatasetPredictions("binary", cases, cases)}
    with pytest.raises(UserError, match="mine, val split: the AUC of label 0 is undefined"):
        compare(one_class, one_class, "val", 0, 100)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "metrics_utils.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_prints_a_table(tmp_path: Path) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    done = run("compare", first, second, "--replicates", 200)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("compare", first.with_suffix(".json"), second, "--replicates", 200).returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "#", "#", "#", "dataset", "breast", "derma", "my_chest", "mean",
    ]  # fmt: skip


def test_json_output_holds_the_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    options = ["--split", "val", "--replicates", "150", "--seed", "5", "--json"]
    assert main(["compare", str(first), str(second), *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = compare(predictions(0), predictions(1), "val", seed=5, replicates=150)
    assert {key: printed[key] for key in expected} == expected
    assert (printed["split"], printed["replicates"], printed["seed"]) == ("val", 150, 5)
    assert (printed["a"], printed["b"]) == (str(first), str(second))


@pytest.mark.parametrize(
    "wrong", [["--replicates", "0"], ["--replicates", "many"], ["--seed", "-1"], ["--split", "train"]]
)
def test_wrong_options_exit_with_status_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "a.npz", "b.npz", *wrong])
    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_bad_file_on_the_command_line_gives_no_traceback(tmp_path: Path) -> None:
    done = run("compare", artifact(tmp_path, 0), tmp_path / "none.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == f"error: {tmp_path}/none.npz: expected an artifact (<uuid>.npz); found no such file\n"
    )
