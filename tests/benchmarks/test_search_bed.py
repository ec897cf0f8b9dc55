"""The project's own table of truth, what packs it, and searches on it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.calibration import on_own_table
from benchmarks.search.own import TABLE, own_table, trainings
from benchmarks.search.packing import pack_table
from benchmarks.search.programs import Relative, write_family
from benchmarks.search.trainings import pack
from medevonet.run.folder import PROJECT
from openevolve.state.random import random_source


def test_the_table_holds_what_was_asked_of_it() -> None:
    values = trainings()
    assert len(values) >= 150
    assert values.shape[1:] == (2, 6)
    assert np.isfinite(values).all()
    assert ((values > 0) & (values < 1)).all()
    assert TABLE.stat().st_size < 1_000_000


def test_measurements_scatter_about_the_truth_as_trainings_do() -> None:
    table, values = own_table(), trainings()
    program = int(np.argmax(table.truth.mean(axis=1)))
    found = [table.value(seed, program, 0, 0) for seed in range(2000)]
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - table.truth[program, 0]) < 5 * error
    assert np.std(found) == pytest.approx(np.std(values[program, 0], ddof=1), rel=0.1)
    assert table.value(3, program, 0, 1) == table.value(3, program, 0, 1)


def test_intervals_hold_fresh_trainings_as_often_as_they_say() -> None:
    """On real noise: 170 programs trained once, a tenth of them twice, against trainings kept back."""
    found = [on_own_table(seed, 170).by_unit for seed in range(4)]
    assert 0.75 <= np.mean(found) <= 0.85


def test_half_of_what_is_proposed_is_one_step_away() -> None:
    space = own_table().space
    parents = space.parents  # type: ignore[attr-defined]
    program, rng = int(parents[-1]), random_source(1, 1, "test")
    near = {program_ for program_, parent in enumerate(parents) if parent == program} | {
        int(parents[program])
    }
    drawn = [space.child(program, rng) for _ in range(1000)]
    assert program not in drawn
    assert 0.4 < np.mean([each in near for each in drawn]) < 0.6


def test_packing_leaves_out_what_failed_and_finds_the_nearest_ancestor(tmp_path: Path) -> None:
    write_family(
        tmp_path / "programs.json",
        {"seed": Relative("a", None), "lost": Relative("b", "seed"), "kept": Relative("c", "lost")},
    )
    lines = [{"program": "lost", "dataset": "one", "repeat": 0, "failure": "crashed: x", "val_auc": []}]
    for program, repeat, value in (("seed", 0, 0.5), ("kept", 0, 0.6), ("kept", 1, 0.7)):
        lines.append(
            {
                "program": program, "dataset": "one", "repeat": repeat, "cost": 10, "params": 5,
                "multiply_adds": 7, "val_auc": [value, 0.1], "val": pack(np.array([[0.5, 0.5]], np.float32)),
            }
        )  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "trainings-0-1.jsonl").write_text(text + '{"torn', encoding="utf-8")
    pack_table(tmp_path, tmp_path / "table.npz")
    with np.load(tmp_path / "table.npz") as arrays:
        assert arrays["names"].tolist() == ["seed", "kept"]
        assert arrays["parents"].tolist() == [-1, 0]
        assert np.nanmax(arrays["val_auc"][1, 0], axis=1) == pytest.approx([0.6, 0.7])
        assert np.isnan(arrays["val_auc"][0, 0, 1]).all()
        assert arrays["failed"].tolist() == ["lost: crashed: x"]


def test_searches_are_compared_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws curves: uv sync --group bench")
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.search", "--table", "own", "--seeds", "2", "--cases", "0",
            "--arms", "2", "7", "--plot", str(tmp_path / "curves.png"),
        ],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "drawn top, final" in done.stdout
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    rows = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * 20
