"""The examples run as their READMEs say, and their evaluators believe nothing."""

import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from openevolve.records.program import FailureKind
from tests import PROJECT
from tests.support.commands import events, run, scores
from tests.support.copies import copy_of

EXAMPLES = sorted(
    path.parent.name
    for path in PROJECT.glob("examples/*/evaluator.py")
    if not list(path.parent.glob("*_data.py"))  # those that train networks: test_network_examples.py
)


def offline_command(example: str) -> str:
    """The first command of an example's README."""
    lines = (PROJECT / "examples" / example / "README.md").read_text().splitlines()
    command = next(line for line in lines if "openevolve-run" in line and "--offline" in line)
    return command.removeprefix("uv run ")


@pytest.fixture(scope="module", params=EXAMPLES)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of an example after the offline command of its README, with half of the iterations."""
    folder: Path = tmp_path_factory.mktemp(request.param) / request.param
    copy_of(PROJECT / "examples" / request.param, folder)
    result = run(folder, offline_command(request.param).replace("-i 40", "-i 20"))
    assert (result.returncode, result.stderr) == (0, "")
    return folder


def test_what_running_an_example_in_place_leaves_is_not_copied(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("openevolve_output/\n.env\n")
    example = tmp_path / "example"
    for name in ("evaluator.py", "openevolve_output/journal.jsonl", ".env"):
        (example / name).parent.mkdir(parents=True, exist_ok=True)
        (example / name).touch()
    assert [path.name for path in copy_of(example, tmp_path / "copy").iterdir()] == ["evaluator.py"]


def test_an_example_improves_without_a_language_model(finished: Path) -> None:
    found = scores(finished / "openevolve_output")
    assert max(found.values()) > found[0] * 1.02
    failed = [
        event
        for event in events(finished / "openevolve_output")
        if event["event"] == "measured" and event["outcome"]["failure"]
    ]
    assert {event["outcome"]["failure"] for event in failed} <= {
        FailureKind.CRASHED
    }  # refused by the evaluator


def test_an_example_leaves_the_files_that_openevolve_leaves(finished: Path) -> None:
    output = finished / "openevolve_output"
    names = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    for place in ("best/", "checkpoints/checkpoint_10/", "checkpoints/checkpoint_20/"):
        assert {f"{place}best_program.py", f"{place}best_program_info.json"} <= names
    for number in (10, 20):
        checkpoint = f"checkpoints/checkpoint_{number}"
        assert f"{checkpoint}/metadata.json" in names
        assert any(name.startswith(f"{checkpoint}/programs/") and name.endswith(".json") for name in names)
    assert len([name for name in names if name.startswith("logs/openevolve_")]) == 1
    first, best = finished / "initial_program.py", output / "best/best_program.py"
    assert best.read_text().partition("# EVOLVE")[0] == first.read_text().partition("# EVOLVE")[0]


def test_an_example_goes_on_from_a_checkpoint(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / finished.name
    shutil.copytree(finished, folder)
    before = scores(folder / "openevolve_output")
    command = offline_command(finished.name).replace("-i 40", "-i 3")  # three more
    result = run(folder, f"{command} --checkpoint openevolve_output/checkpoints/checkpoint_20")
    assert result.returncode == 0, result.stderr
    assert "iterations: 23" in result.stdout
    assert scores(folder / "openevolve_output").items() >= before.items()
    ended = [e for e in events(folder / "openevolve_output") if e["event"] == "measured"]
    assert len(ended) == 24


def evaluator(example: str) -> dict[str, Any]:
    return runpy.run_path(str(PROJECT / "examples" / example / "evaluator.py"))


def evaluated(folder: Path, example: str, code: str) -> Any:
    path = folder / "program.py"
    path.write_text(code)
    return evaluator(example)["evaluate"](str(path))


@pytest.mark.parametrize(
    ("circles", "message"),
    [
        ("[(0.5, 0.5, 0.5)] * n", "expected no overlap"),
        ("[(k / n + 0.01, 0.5, 0.6 / n) for k in range(n)]", "expected circles inside the unit square"),
        ("[(0.5, 0.5, 0.5)]", "expected 7 circles, found 1"),
        ("[(2.0 * k, 9.0, 0.1) for k in range(n)]", "expected circles inside the unit square"),
        ("[(0.5, 0.5, float('nan'))] * n", "expected circles inside the unit square"),
        ("[(float('nan'), 0.5, 0.1)] * n", "expected circles inside the unit square"),
        ("[(0.5, float('nan'), 0.5)] * n", "expected circles inside the unit square"),
        ("[(0.5, 0.5, -0.1)] * n", "expected circles inside the unit square"),
        ("[(0.5, 0.5, float('inf'))] * n", "expected circles inside the unit square"),
    ],
)
def test_a_packing_that_is_none_has_no_score(tmp_path: Path, circles: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluated(tmp_path, "circle_packing", f"def pack(n):\n    return {circles}\n")


def test_a_packing_is_worth_its_radii(tmp_path: Path) -> None:
    row = "[((2 * k + 1) / (2 * n), 0.5, 1 / (2 * n)) for k in range(n)]"
    found = evaluated(tmp_path, "circle_packing", f"def pack(n):\n    return {row}\n")
    assert {name: found[name] for name in ("sum_7", "sum_10", "sum_13")} == pytest.approx(
        {"sum_7": 0.5, "sum_10": 0.5, "sum_13": 0.5}
    )
    assert found["combined_score"] == pytest.approx((7**-0.5 + 10**-0.5 + 13**-0.5) / 3)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("while True: f(0.0, 0.0)", RuntimeError, "expected at most 300 calls"),
        ("return low - 1, 0.0", ValueError, "expected a point within"),
        ("return float('nan'), 0.0", ValueError, "expected a point within"),
    ],
)
def test_a_search_outside_the_rules_has_no_score(
    tmp_path: Path, body: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluated(tmp_path, "function_minimization", f"def search(f, low, high, calls, rng):\n    {body}\n")


def test_a_search_is_worth_the_height_of_its_point(tmp_path: Path) -> None:
    found = evaluated(
        tmp_path, "function_minimization", "def search(f, low, high, calls, rng):\n    return 0.5, -0.5\n"
    )
    expected = []
    for function in evaluator("function_minimization")["FUNCTIONS"]:
        for repeat in range(8):
            rng = Random(repeat)
            dx, dy = rng.uniform(-1, 1), rng.uniform(-1, 1)
            expected.append(1 / (1 + function(0.5 - dx, -0.5 - dy)))
    assert found.metrics == pytest.approx(
        {"combined_score": sum(expected) / len(expected), "worst_score": min(expected)}
    )
    assert "rastrigin: median " in found.artifacts["height above the minimum"]


@pytest.mark.parametrize(
    ("name", "minima"),
    [("rastrigin", [(0, 0)]), ("ackley", [(0, 0)]), ("himmelblau", [(3, 2), (3.584428, -1.848127)])],
)
def test_the_functions_have_their_minima_where_the_literature_says(
    name: str, minima: list[tuple[float, float]]
) -> None:
    function = evaluator("function_minimization")[name]
    for x, y in minima:
        assert function(x, y) == pytest.approx(0, abs=1e-9)
        assert all(function(x + dx, y + dy) > 1e-4 for dx in (-0.01, 0.01) for dy in (-0.01, 0.01))


def test_packing_into_bins_keeps_every_item_and_opens_no_bin_too_many() -> None:
    pack: Callable[[list[int], Callable[[float, float], float]], list[int]] = evaluator("bin_packing")["pack"]
    assert pack([60, 50, 40, 50], lambda item, room: -room) == [0, 0]
    assert pack([60, 30, 30, 40], lambda item, room: -room) == [10, 30]
    assert pack([30, 30, 60], lambda item, room: room) == [40, 40]
    with pytest.raises(ValueError, match="found NaN"):
        pack([10, 10], lambda item, room: float("nan"))


def test_best_fit_scores_what_the_readme_says(tmp_path: Path) -> None:
    found = evaluated(tmp_path, "bin_packing", "def priority(item, room):\n    return -room\n")
    assert round(found["combined_score"], 3) == 0.951
    assert "scores 0.951" in (PROJECT / "examples/bin_packing/README.md").read_text().replace("\n", " ")
