"""The whole evaluation, in real processes: scores, artifacts, and every way to fail."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from medevonet.data.dataset import load_datasets
from medevonet.referee.candidate_process import candidate_argument
from medevonet.run import train_command as train
from medevonet.run.environment import ARTIFACTS_VARIABLE
from medevonet.run.folder import PROJECT
from medevonet.statistics.auc import auc
from medevonet.statistics.summaries import SPLITS, load_predictions
from openevolve.evaluating.isolation.client import LAUNCHER_VARIABLE
from tests.support import programs
from tests.support.tiny_task import KINDS, TinyTask

SEED_PROGRAM = (PROJECT / "seed_program.py").read_text(encoding="utf-8")


def test_the_seed_beats_chance_on_every_label_kind(tiny: TinyTask) -> None:
    evaluation = tiny.evaluate(SEED_PROGRAM, epochs=2, batch_size=8, max_lr=0.003)
    assert evaluation.network.params == 1_701_383
    for name, statistics in evaluation.statistics["datasets"].items():
        assert statistics["test"]["auc"] > 0.8, name


def test_what_a_search_gets_holds_no_test_metric(tiny: TinyTask) -> None:
    result = tiny.sound.result()
    assert set(result.metrics) == {
        "combined_score", "mean_val_auc", "two_val_auc", "four_val_auc", "labels_val_auc",
        "mean_val_auc_se", "params", "efficiency", "param_count", "multiply_adds", "cost",
    }  # fmt: skip
    val_aucs = [result.metrics[f"{name}_val_auc"] for name in KINDS]
    assert result.metrics["combined_score"] == result.metrics["mean_val_auc"] == np.mean(val_aucs)
    assert result.metrics["param_count"] == pytest.approx(10 ** result.metrics["params"])
    assert result.metrics["multiply_adds"] == pytest.approx(10 ** -result.metrics["efficiency"])
    assert list(result.artifacts) == ["training"]
    assert "test" not in str(result.artifacts)


def test_equal_seeds_give_equal_bits_and_others_do_not(tiny: TinyTask) -> None:
    again, other = tiny.evaluate(programs.SOUND), tiny.evaluate(programs.SOUND, seed=1)
    assert again.result() == tiny.sound.result()
    for name, predictions in load_predictions(again.artifact.with_suffix(".npz")).items():
        first = load_predictions(tiny.sound.artifact.with_suffix(".npz"))[name]
        np.testing.assert_array_equal(predictions.test.probabilities, first.test.probabilities)
    assert other.result() != tiny.sound.result()


def test_a_score_does_not_depend_on_the_other_datasets(tiny: TinyTask) -> None:
    alone = tiny.evaluate(programs.SOUND, datasets=[tiny.datasets[2].model_dump()])
    assert alone.result().metrics["labels_val_auc"] == tiny.sound.result().metrics["labels_val_auc"]


def test_what_a_program_does_to_global_state_does_not_change_its_score(tiny: TinyTask) -> None:
    assert tiny.evaluate(programs.GLOBAL_STATE).result() == tiny.sound.result()


def test_noise_on_stdout_does_not_change_a_score(tiny: TinyTask) -> None:
    noisy = programs.sound(forward="print('noise ' * 1000)", before="print('val_auc: 1.0')\n")
    assert tiny.evaluate(noisy).result() == tiny.sound.result()


@pytest.mark.parametrize(
    "code",
    [
        programs.LAZY, programs.HEAD_REGISTERED_FIRST, programs.VIEWED, programs.STRIDED_POINTWISE,
        programs.TRANSFORMER, programs.WITHOUT_ARGUMENT,
    ],
    ids=["lazy", "head registered first", "view", "strided pointwise", "transformer", "without argument"],
)  # fmt: skip
def test_sound_programs_of_other_forms_get_a_score(tiny: TinyTask, code: str) -> None:
    assert 0 <= tiny.evaluate(code, epochs=1).result().metrics["combined_score"] <= 1


def test_bf16_is_a_setting(tiny: TinyTask) -> None:
    bf16 = tiny.evaluate(programs.SOUND, precision="bf16").result().metrics["combined_score"]
    assert bf16 != tiny.sound.result().metrics["combined_score"]
    assert bf16 == pytest.approx(tiny.sound.result().metrics["combined_score"], abs=0.1)


def test_the_best_epoch_is_the_earliest_of_the_highest_and_its_weights_predict(tiny: TinyTask) -> None:
    evaluation = tiny.evaluate(programs.BEST_AT_FIRST, epochs=5, datasets=tiny.one)
    (dataset_run,) = evaluation.runs
    (run,) = dataset_run.trainings
    aucs = [report.val_auc for report in run.history]
    assert run.best.epoch == 1 + int(np.argmax(aucs)) < 5
    assert run.best.val_auc == evaluation.result().metrics["combined_score"]
    assert [report.epoch for report in run.history if report.best][-1] == run.best.epoch
    assert dataset_run.predictions.test.probabilities.shape == (44, 2)
    assert evaluation.statistics["mean"]["test"]["auc"] > 0.7  # the last epoch's weights: the opposite
    assert aucs[-1] < 0.3


# ---------------------------------------------------------------- artifacts


def test_the_artifacts_hold_all_that_the_statistics_need(tiny: TinyTask) -> None:
    record = json.loads(tiny.sound.artifact.read_text())
    assert record["uuid"] == tiny.sound.artifact.stem
    assert (record["status"], record["program"]) == ("ok", programs.SOUND)
    assert record["params"] == tiny.sound.network.params
    assert record["multiply_adds"] == tiny.sound.network.multiply_adds
    assert (record["device"], record["head"]) == ("cpu", "head")
    assert record["task"]["max_lr"] == 0.02
    assert record["seconds"] > 0
    for name, predictions in load_predictions(tiny.sound.artifact.with_suffix(".npz")).items():
        dataset = record["datasets"][name]
        (training,) = dataset["trainings"]
        assert [epoch["epoch"] for epoch in training["history"]] == [1, 2]
        assert training["history"][training["best_epoch"] - 1]["val_auc"] == dataset["val"]["auc"]
        known = {"val": dataset["val"], "test": tiny.sound.statistics["datasets"][name]["test"]}
        for split in SPLITS:
            cases, found = predictions[split], known[split]
            assert auc(cases.probabilities, cases.labels, predictions.label_kind) == found["auc"]
            low, high = found["ci95"]
            assert low <= found["auc"] <= high
        assert "test" not in dataset
    assert list(record["mean"]) == ["val"]
    assert record["mean"]["val"]["auc"] == tiny.sound.result().metrics["combined_score"]


def test_an_artifact_is_named_by_the_programs_uuid(tiny: TinyTask) -> None:
    name = "0e2f1c5e-6d2b-4c50-9d33-111111111111"
    path = tiny.write(programs.SOUND, name)
    evaluation = train.evaluate_program(
        path, tiny.config(datasets=tiny.one, epochs=1), tiny.folder, launcher=tiny.launcher
    )
    assert evaluation.artifact == tiny.folder / f"{name}.json"


def test_a_candidate_is_told_of_no_label_that_it_is_scored_by(tiny: TinyTask) -> None:
    task = tiny.config()
    datasets = load_datasets(task.datasets, task.size)
    for dataset in datasets:
        told = json.dumps(candidate_argument(Path("program.py"), task, dataset))
        assert str(dataset.labels["train"]) in told
        assert str(dataset.labels["val"]) not in told
        assert str(dataset.labels["test"]) not in told


# ---------------------------------------------------------------- the evaluator and the command line


@pytest.fixture
def run(tiny: TinyTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment as in a run: artifacts in a folder, candidates from the run's own fork server."""
    monkeypatch.setenv(LAUNCHER_VARIABLE, str(tiny.launcher._connection.fileno()))
    monkeypatch.setenv(ARTIFACTS_VARIABLE, str(tmp_path / "artifacts"))
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"task": tiny.config().model_dump(mode="json")}), encoding="utf-8")
    return tmp_path


def test_train_and_evaluate_takes_epochs_and_reports_each(run: Path, tiny: TinyTask) -> None:
    seen: list[tuple[str, int]] = []
    result = train.train_and_evaluate(
        str(tiny.write(programs.SOUND)),
        1,
        task=tiny.config(),
        on_epoch=lambda dataset, report: seen.append((dataset.name, report.epoch)),
    )
    assert seen == [(name, 1) for name in KINDS]
    assert len(list((run / "artifacts").glob("*.npz"))) == 1
    assert 0 <= result.metrics["combined_score"] <= 1


def test_the_command_prints_epochs_tables_and_a_block(
    run: Path, tiny: TinyTask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([str(tiny.write(programs.SOUND)), "3", "--config", "config.yaml", "--seed", "4"]) == 0
    table, _, block = capsys.readouterr().out.partition("\n---\n")
    assert len(re.findall(r"^ +[123] +\d\.\d{4} +\d\.\d{4}", table, re.MULTILINE)) == 9
    found = dict(line.split(": ", 1) for line in block.splitlines())
    record = json.loads(Path(found["artifact"]).read_text())
    assert (record["task"]["seed"], record["task"]["epochs"]) == (4, 3)
    assert (found["status"], found["params"]) == ("ok", str(record["params"]))
    assert found["mean_val_auc"] == f"{record['mean']['val']['auc']:.4f}"
    predicted = load_predictions(Path(found["artifact"]))
    aucs = [auc(of.test.probabilities, of.test.labels, of.label_kind) for of in predicted.values()]
    assert found["mean_test_auc"] == f"{np.mean(aucs):.4f}"
    assert float(found["seconds"]) > 0
    for name in KINDS:
        assert re.fullmatch(r"val_auc=[01]\.\d{4} test_auc=[01]\.\d{4}", found[name])


def test_the_command_ends_with_1_and_the_failure_kind(
    run: Path, tiny: TinyTask, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.write(programs.sound(forward="import time; time.sleep(1000)"))
    assert train.main([str(path), "--config", "config.yaml", "--set", "evaluator.timeout=1"]) == 1
    printed = capsys.readouterr()
    assert "---\nstatus: timeout\n" in printed.out
    assert "expected an end within the time limit" in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py"], "nowhere.py: expected a Python file that defines create_model()"),
        (["program.py", "0"], "epochs: expected at least 1, found 0"),
        (["program.py", "--set", "task.datasets=[breastminst]"], "breastminst"),
        (
            ["program.py", "--set", "task.sise=28"],
            "unknown key task.sise; the nearest known one is task.size",
        ),
        (
            ["program.py", "--set", "task.device=tpu"],
            "expected auto, cpu or a GPU such as cuda:0, found 'tpu'",
        ),
        (["program.py", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_mistakes_of_the_user_end_with_2_and_one_message(
    run: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "program.py").write_text(programs.SOUND, encoding="utf-8")
    config = [] if "--config" in arguments else ["--config", "config.yaml"]
    assert train.main([*arguments, *config]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


def test_the_command_runs_on_its_own(run: Path, tiny: TinyTask) -> None:
    """In a process and with a fork server of its own."""
    environment = {key: value for key, value in os.environ.items() if key != LAUNCHER_VARIABLE}
    command = [PROJECT / "train.py", tiny.write(programs.SOUND), "1", "--config", "config.yaml"]
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=run,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\nstatus: ok\n" in done.stdout


def test_the_referee_starts_without_pytorch() -> None:
    code = "import sys, train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
