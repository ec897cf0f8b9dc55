"""The examples that train networks, as their READMEs say, on less work."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import PROJECT
from tests.support.commands import events, run, scores
from tests.support.copies import copy_of


def measured(folder: Path) -> list[dict[str, float]]:
    found = [e["outcome"] for e in events(folder / "openevolve_output") if e["event"] == "measured"]
    return [outcome["metrics"] for outcome in found if outcome["failure"] is None]


def test_cifar10_on_its_stand_in(tmp_path: Path) -> None:
    folder = copy_of(PROJECT / "examples/cifar10", tmp_path / "cifar10")
    subprocess.run([sys.executable, "get_data.py", "--stand-in"], cwd=folder, check=True, timeout=120)
    done = run(
        folder, "openevolve-run initial_program.py evaluator.py -c config.yaml -i 1 --offline",
        EPOCHS="1", IMAGES="60",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 100_000 < measured(folder)[0]["param_count"] < 600_000
    assert 0 <= scores(folder / "openevolve_output")[0] <= 1
    assert "search.preset guided-evolution" in done.stdout


def test_without_data_the_remedy_is_said(tmp_path: Path) -> None:
    for name, remedy in (("cifar10", "python get_data.py"), ("mnist1d", "python make_data.py")):
        folder = copy_of(PROJECT / "examples" / name, tmp_path / name)
        shutil.rmtree(folder / "data", ignore_errors=True)
        done = run(folder, "openevolve-run initial_program.py evaluator.py -c config.yaml -i 1 --offline")
        assert done.returncode == 2
        assert remedy in done.stdout + done.stderr


def test_mnist1d_and_its_plots(tmp_path: Path) -> None:
    folder = copy_of(PROJECT / "examples/mnist1d", tmp_path / "mnist1d")
    (folder / "data").mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    series = {name: rng.random((count, 40)) for name, count in (("x", 200), ("x_test", 50))}
    labels = {name: rng.integers(10, size=count) for name, count in (("y", 200), ("y_test", 50))}
    np.savez(folder / "data/mnist1d.npz", **series, **labels)  # type: ignore[arg-type]
    command = "openevolve-run initial_program.py evaluator.py -c config.yaml -i 3 --offline"
    done = run(folder, command, STEPS="5", SEEDS="2")
    assert done.returncode == 0, done.stderr
    found = measured(folder)
    assert found[0]["num_params"] == 25 * 5 + 25 + 25 * 25 * 5 + 25 + 125 * 10 + 10
    pytest.importorskip("matplotlib", reason="the group examples is not installed")
    drawn = subprocess.run(
        [sys.executable, "plots.py", "openevolve_output"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (folder / "openevolve_output/evoprompting.png").stat().st_size > 10_000
    front = [line.split(" parameters, test error ") for line in drawn.stdout.splitlines()]
    errors = [float(error) for _, error in front]
    assert errors == sorted(errors, reverse=True)
    assert float(front[0][0]) == min(metrics["num_params"] for metrics in found)


def test_mnist1d_is_made_by_its_package(tmp_path: Path) -> None:
    pytest.importorskip("mnist1d", reason="the group examples is not installed")
    folder = copy_of(PROJECT / "examples/mnist1d", tmp_path / "mnist1d")
    subprocess.run([sys.executable, "make_data.py", "500"], cwd=folder, check=True, timeout=120)
    with np.load(folder / "data/mnist1d.npz") as file:
        assert (file["x"].shape, file["x_test"].shape) == ((400, 40), (100, 40))
        assert set(file["y"]) == set(range(10))
