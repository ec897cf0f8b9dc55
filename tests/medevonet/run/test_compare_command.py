"""``metrics_utils.py compare``, from its numbers to its exit status, and what it counts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medevonet.run.compare_command import main
from medevonet.run.folder import create_run
from medevonet.run.info import write_run_info
from medevonet.run.looks import looks
from medevonet.statistics.artifacts import DatasetPredictions, SplitPredictions
from medevonet.statistics.comparison import compare, report
from medevonet.statistics.student import holm
from openevolve.errors import UserError
from openevolve.state.journal import Journal
from tests import PROJECT
from tests.support.sample_predictions import artifact, predictions, replaced


def test_compare_is_antisymmetric() -> None:
    forward = report(compare([predictions(0)], [predictions(1)], "test"))
    backward = report(compare([predictions(1)], [predictions(0)], "test"))
    for dataset in ("breast", "derma", "my_chest"):
        a, b = forward["datasets"][dataset], backward["datasets"][dataset]
        assert b["difference"] == -a["difference"] != 0
        (of_a,), (of_b,) = a["answers"].values(), b["answers"].values()
        assert of_b["ci95"] == pytest.approx([-of_a["ci95"][1], -of_a["ci95"][0]])
        assert (of_b["p"], of_b["p_holm"]) == (of_a["p"], of_a["p_holm"])


def test_several_artifacts_a_side_are_trainings_of_one_program() -> None:
    rows = compare([predictions(0), predictions(2), predictions(4)], [predictions(1), predictions(3)], "test")
    for row in rows.values():
        assert row.trainings == (3, 2)
        assert list(row.answers) == ["on these images", "for new patients"]
    numbers = report(rows)
    asked = [row["answers"]["for new patients"] for row in numbers["datasets"].values()]
    assert [each["p_holm"] for each in asked] == holm([each["p"] for each in asked])
    assert "p_holm" not in numbers["mean"]["answers"]["for new patients"]


def test_a_pool_answers_for_single_trainings() -> None:
    pool = {name: _with_repeats(each, predictions(9)[name]) for name, each in predictions(8).items()}
    rows = compare([predictions(0)], [predictions(1)], "test", [pool])
    assert all(list(row.answers) == ["on these images", "for new patients"] for row in rows.values())


def test_where_one_data_set_has_several_trainings_the_mean_is_for_these_weights() -> None:
    sides = [predictions(seed) for seed in (0, 1)]
    several = [side | {"breast": _with_repeats(side["breast"], predictions(9)["breast"])} for side in sides]
    rows = compare(several[:1], several[1:], "test")
    assert list(rows["breast"].answers) == ["on these images", "for new patients", "for these weights only"]
    assert list(report(rows)["mean"]["answers"]) == ["for these weights only"]


def _with_repeats(first: DatasetPredictions, second: DatasetPredictions) -> DatasetPredictions:
    val, test = (
        SplitPredictions(a.probabilities, a.labels, (b.probabilities,))
        for a, b in ((first.val, second.val), (first.test, second.test))
    )
    return DatasetPredictions(first.label_kind, val, test)


def test_compare_refuses_other_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    labels = predictions(1)["derma"].test.labels.copy()
    labels[[0, -1]] = 1 - labels[[0, -1]] % 2
    replaced(second, "derma_test_labels", labels)
    assert main(["compare", str(first), str(second)]) == 2
    assert "derma, test split: expected the same cases in all artifacts" in capsys.readouterr().err
    assert main(["compare", str(first), str(second), "--split", "val"]) == 0

    with pytest.raises(UserError, match="found breast, derma, my_chest in one and breast in another"):
        compare([predictions(1)], [{"breast": predictions(0)["breast"]}], "test")


def test_compare_names_the_data_set_whose_auc_is_undefined() -> None:
    cases = SplitPredictions(np.random.default_rng(0).random((5, 2), np.float32), np.ones((5, 1), np.uint8))
    one_class = {"mine": DatasetPredictions("binary", cases, cases)}
    with pytest.raises(UserError, match="mine, val split: the AUC of label 0 is undefined"):
        compare([one_class], [one_class], "val")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "metrics_utils.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_prints_a_table(tmp_path: Path) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    done = run("compare", first, second)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "#", "#", "#", "dataset", "breast", "derma", "my_chest", "mean",
    ]  # fmt: skip
    assert done.stdout.count("for these weights only") == 4
    several = run("compare", first.with_suffix(".json"), artifact(tmp_path, 2), "--against", second, second)
    assert several.returncode == 0, several.stderr
    names = [line.split()[0] for line in several.stdout.splitlines()[4:]]
    assert names == [name for name in ("breast", "derma", "my_chest", "mean") for _ in range(2)]
    assert several.stdout.count("2 + 2") == 8


def test_json_output_holds_the_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    assert main(["compare", str(first), str(second), "--split", "val", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = report(compare([predictions(0)], [predictions(1)], "val"))
    assert {key: printed[key] for key in expected} == expected
    assert (printed["split"], printed["a"], printed["b"]) == ("val", [str(first)], [str(second)])


@pytest.mark.parametrize("wrong", [["--split", "train"], ["--against"], ["--replicates", "100"]])
def test_wrong_options_exit_with_status_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "a.npz", "b.npz", *wrong])
    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_three_artifacts_without_sides_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a.npz", "b.npz", "c.npz"]) == 2
    assert "expected two artifacts, or those of B after --against; found 3" in capsys.readouterr().err


def test_bad_file_on_the_command_line_gives_no_traceback(tmp_path: Path) -> None:
    done = run("compare", artifact(tmp_path, 0), tmp_path / "none.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == f"error: {tmp_path}/none.npz: expected an artifact (<uuid>.npz); found no such file\n"
    )


# ---------------------------------------------------------------- looks at the test split


def run_with_artifacts(root: Path) -> tuple[Path, list[str]]:
    run = create_run(root)
    write_run_info(run, {}, {})
    return run, [str(artifact(run / "artifacts", seed)) for seed in (0, 1)]


def test_a_look_at_the_test_split_of_a_run_is_counted(tmp_path: Path) -> None:
    run, paths = run_with_artifacts(tmp_path)
    assert main(["compare", *paths, "--split", "val"]) == 0
    assert looks(run) == []
    for count in (1, 2):
        assert main(["compare", *paths]) == 0
        assert len(looks(run)) == count
    assert looks(run)[0]["by"] == "metrics_utils.py compare"
    assert looks(run)[0]["programs"] == ["model-0", "model-1"]


def test_a_comparison_that_fails_after_the_look_has_been_a_look(tmp_path: Path) -> None:
    run, paths = run_with_artifacts(tmp_path)
    replaced(Path(paths[1]), "breast_test_labels", np.zeros((60, 1), np.uint8))
    assert main(["compare", *paths]) == 2
    assert len(looks(run)) == 1


def test_artifacts_outside_a_run_are_counted_beside_them(tmp_path: Path) -> None:
    first, second = artifact(tmp_path, 0), artifact(tmp_path, 1)
    assert main(["compare", str(first), str(second)]) == 0
    assert len(json.loads((tmp_path / "looks.json").read_text())["looks_at_test_split"]) == 1


def test_the_test_split_stays_closed_while_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, paths = run_with_artifacts(tmp_path)
    with Journal(run / "openevolve" / "journal.jsonl"):
        assert main(["compare", *paths]) == 2
        assert "expected a run that has ended, found one that goes on" in capsys.readouterr().err
        assert looks(run) == []
        assert main(["compare", *paths, "--split", "val"]) == 0
    assert main(["compare", *paths]) == 0


def test_looks_of_processes_at_once_are_all_counted(tmp_path: Path) -> None:
    found, paths = run_with_artifacts(tmp_path)
    command = [sys.executable, str(PROJECT / "metrics_utils.py"), "compare", *paths]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert len(looks(found)) == 4
