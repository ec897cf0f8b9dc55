"""The table of OpenEvolve's examples, over a folder of examples made up here."""

from pathlib import Path

from tests.benchmarks.test_benchmarks import run

CONFIG = """
max_iterations: 50
llm: {primary_model: large, api_base: "https://api.example/v1", temperature: 0.7}
database: {population_size: 10, num_islands: 1}
evaluator: {timeout: 30}
"""
PROGRAM = "# EVOLVE-BLOCK-START\ndef height():\n    return 2.5\n# EVOLVE-BLOCK-END\n"
EVALUATOR = """
import runpy

def evaluate(program_path):
    return {"combined_score": runpy.run_path(program_path)["height"]()}
"""


def example(folder: Path, name: str, config: str = CONFIG, evaluator: str = EVALUATOR) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "config.yaml").write_text(config)
    (folder / name / "initial_program.py").write_text(PROGRAM)
    (folder / name / "evaluator.py").write_text(evaluator)


def test_each_example_gets_its_verdict_and_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    example(folder, "runs")
    example(folder, "refused", config=CONFIG + "no_such_setting: 1\n")
    example(folder, "lacking", evaluator="import no_such_package\n" + EVALUATOR)
    (folder / "runs" / "data.yaml").write_text("rows: 3\n")
    before = sorted(folder.rglob("*"))
    lines = run("benchmarks/upstream.py", str(folder)).splitlines()
    table = dict(line.split(maxsplit=1) for line in lines[:3])
    assert table["runs/config.yaml"] == "runs     combined_score 2.5"
    assert table["refused/config.yaml"].startswith("refused  unknown key no_such_setting")
    assert table["lacking/config.yaml"].startswith("failed   expected an initial program with a score")
    assert "No module named 'no_such_package'" in table["lacking/config.yaml"]
    assert lines[3:] == ["---", "configs: 3", "load: 2", "failed: 1", "refused: 1", "runs: 1"]
    assert sorted(folder.rglob("*")) == before
