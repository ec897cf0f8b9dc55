"""``--checkpoint`` with a folder that OpenEvolve wrote: its programs count, and N iterations more follow."""

import json
from pathlib import Path
from typing import Any

import pytest

from openevolve.commands.evolve import main
from openevolve.inspect import questions
from openevolve.inspect.reading import read_run
from openevolve.state.replay import replay

EVALUATOR = """
import runpy

def evaluate(program_path):
    x = runpy.run_path(program_path)["X"]
    return {"combined_score": -abs(x - 40), "size": x / 100}
"""
CONFIG = "database: {num_islands: 2, feature_dimensions: [size]}\nproposer: offline\nrandom_seed: 3\n"
CODE = "# EVOLVE-BLOCK-START\nX = {0}\n# EVOLVE-BLOCK-END\n"


def program(name: str, x: float, found: int, parent: str | None = None, **others: Any) -> dict[str, Any]:
    """A program with the keys that OpenEvolve 0.4 writes."""
    return {
        "id": name, "code": CODE.format(x), "changes_description": "", "language": "python",
        "parent_id": parent, "generation": found, "timestamp": 100.0 + found, "iteration_found": found,
        "metrics": {"combined_score": -abs(x - 40), "size": x / 100}, "complexity": 9.0, "diversity": 0.0,
        "metadata": {"island": 0, "changes": f"X = {x}"}, "prompts": None, "artifacts_json": None,
        "artifact_dir": None, "embedding": None, **others,
    }  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("initial_program.py").write_text(CODE.format(10.0))
    Path("evaluator.py").write_text(EVALUATOR)
    Path("config.yaml").write_text(CONFIG)
    folder = tmp_path / "theirs/checkpoints/checkpoint_7"
    programs = [
        program("a", 10.0, 0),
        program("b", 30.0, 3, "a", artifacts_json=json.dumps({"stderr": "a warning"})),
        program("c", 35.0, 5, "gone", metrics={"combined_score": -5.0, "size": 0.35, "error": "text"}),
        program("d", 20.0, 6, "b", metrics={"size": 0.2}),  # no score that counts
        program("e", 30.0, 7, "b"),  # a copy of b, as migration leaves them
    ]
    (folder / "programs").mkdir(parents=True)
    for each in programs:
        (folder / f"programs/{each['id']}.json").write_text(json.dumps(each))
    islands = {"islands": [["a", "b"], ["c", "d", "e"]], "last_iteration": 7, "best_program_id": "c"}
    (folder / "metadata.json").write_text(json.dumps(islands))
    return folder


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["initial_program.py", "evaluator.py", "-c", "config.yaml", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_its_programs_count_and_so_many_iterations_more_are_done(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("--checkpoint", str(checkpoint), "-i", "3") == 0
    assert f"taken over: 4 programs of {checkpoint}" in capsys.readouterr().out
    state = replay(Path("openevolve_output/journal.jsonl"))
    assert [state.programs[i].id for i in range(4)] == ["a", "b", "c", "e"]
    assert [state.programs[i].parent_ids for i in range(4)] == [(), ("a",), ("a",), ("b",)]
    assert [state.programs[i].island for i in range(4)] == [0, 0, 1, 1]
    assert state.outcomes[1].artifacts == {"stderr": "a warning"}
    assert len(state.outcomes) == 7
    assert {"a", "b", "c"} <= set(state.population._elites)
    assert "e" not in state.population._elites
    run = read_run("openevolve_output")
    assert len(questions.leaderboard(run, None, 20)) >= 3
    assert Path("openevolve_output/report.html").is_file()


def test_the_run_that_it_began_goes_on_as_any_other(checkpoint: Path) -> None:
    assert exit_code("--checkpoint", str(checkpoint), "-i", "1", "-o", "mine") == 0
    assert exit_code("-o", "mine", "-i", "6", "--checkpoint", str(checkpoint)) == 2
    assert exit_code("-o", "mine", "-i", "6") == 0
    assert len(replay(Path("mine/journal.jsonl")).outcomes) == 7


def test_a_checkpoint_that_cannot_be_used_is_one_line(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--checkpoint", str(checkpoint), "-i", "1", "--set", "database.fitness_metric=auc")
    assert exit_code(*asked) == 2
    assert (
        "expected programs with the metrics that the settings ask for (auc, axes)" in capsys.readouterr().err
    )
    (checkpoint / "programs/a.json").write_text("{")
    assert exit_code("--checkpoint", str(checkpoint)) == 2
    assert "found one that cannot be read" in capsys.readouterr().err
