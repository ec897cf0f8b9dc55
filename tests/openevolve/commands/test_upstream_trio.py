"""A problem written for OpenEvolve runs through ``openevolve-run`` unchanged, language models and all."""

from pathlib import Path

import pytest

from openevolve.records.program import FailureKind
from tests.support.commands import events, run, scores
from tests.support.llm_server import Reply, ReplyServer

KEY = "sk-planted-0123456789"

# A problem in the manner of OpenEvolve's examples: it imports by importlib, has a time limit of its own,
# returns texts beside numbers and NumPy's numbers, and knows nothing of this engine.
TRIO = {
    "initial_program.py": '''
# EVOLVE-BLOCK-START
"""Random search for the minimum of a function"""
import numpy as np


def search(trials=20, bounds=(-5, 5)):
    """Look at random points and keep the best."""
    best = np.random.uniform(bounds[0], bounds[1])
    best_value = evaluate_function(best)
    for _ in range(trials):
        x = np.random.uniform(bounds[0], bounds[1])
        value = evaluate_function(x)
        if value < best_value:
            best, best_value = x, value
    return best, best_value
# EVOLVE-BLOCK-END


def evaluate_function(x):
    return (x - 3) ** 2 + np.sin(5 * x)


def run_search():
    return search()


if __name__ == "__main__":
    print(run_search())
''',
    "evaluator.py": """
import concurrent.futures
import importlib.util
import traceback

import numpy as np
from openevolve.evaluation_result import EvaluationResult


def run_with_timeout(function, seconds):
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result(timeout=seconds)


def evaluate(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    try:
        values = []
        for trial in range(5):
            np.random.seed(trial)
            x, _ = run_with_timeout(program.run_search, 5)
            values.append(float(program.evaluate_function(x)))
        mean = np.mean(values)
        return EvaluationResult(
            metrics={"value_score": 1 / (1 + mean + 1), "combined_score": 1 / (2 + mean), "note": "fine"},
            artifacts={"values": str(values), "raw": b"bytes"},
        )
    except Exception as error:
        return {"combined_score": 0.0, "error": str(error), "traceback": traceback.format_exc()}


def evaluate_stage1(program_path):
    result = evaluate(program_path)
    metrics = result if isinstance(result, dict) else result.metrics
    return EvaluationResult(metrics={"runs": 1.0, "combined_score": metrics["combined_score"]})


def evaluate_stage2(program_path):
    return evaluate(program_path)
""",
    "config.yaml": f"""
max_iterations: 9
checkpoint_interval: 5
log_level: "INFO"
random_seed: 42
diff_based_evolution: true
max_code_length: 20000

llm:
  primary_model: "gpt-large"
  primary_model_weight: 0.6
  secondary_model: "gpt-small"
  secondary_model_weight: 0.4
  api_base: "${{TEST_API_BASE}}"
  api_key: "{KEY}"
  temperature: 0.7
  top_p: 0.95
  max_tokens: 4096
  timeout: 60

prompt:
  system_message: "You are an expert in numerical optimization."
  num_top_programs: 3
  include_artifacts: true

database:
  population_size: 50
  archive_size: 20
  num_islands: 2
  elite_selection_ratio: 0.2
  exploitation_ratio: 0.7

evaluator:
  timeout: 60
  cascade_evaluation: true
  cascade_thresholds: [0.2, 0.75]
  parallel_evaluations: 2
""",
}

# Each changes another line of the program, so that it fits any program that does not have it yet.
REPLIES = [
    """More trials find a lower point.

<<<<<<< SEARCH
def search(trials=20, bounds=(-5, 5)):
=======
def search(trials=300, bounds=(-5, 5)):
>>>>>>> REPLACE
""",
    """The best point so far is a good place to look around.

<<<<<<< SEARCH
        x = np.random.uniform(bounds[0], bounds[1])
        value = evaluate_function(x)
=======
        x = np.clip(best + np.random.normal(0, 0.5), bounds[0], bounds[1])
        value = evaluate_function(x)
>>>>>>> REPLACE
""",
    """I would start in the middle.

```python
<<<<<<< SEARCH
    best = np.random.uniform(bounds[0], bounds[1])
=======
    best = (bounds[0] + bounds[1]) / 2
>>>>>>> REPLACE
```
""",
]


@pytest.fixture(scope="module")
def upstream_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, ReplyServer]:
    """The folder of the problem after its run, what the command printed, and the server it asked."""
    folder = tmp_path_factory.mktemp("upstream")
    for name, text in TRIO.items():
        (folder / name).write_text(text)
    with ReplyServer([Reply(text) for text in REPLIES]) as server:
        result = run(
            folder, "openevolve-run initial_program.py evaluator.py --config config.yaml",
            TEST_API_BASE=server.api_base, no_proxy="127.0.0.1",
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder, result.stdout + result.stderr, server


def test_a_problem_written_for_openevolve_runs_unchanged(
    upstream_run: tuple[Path, str, ReplyServer],
) -> None:
    folder, _, _ = upstream_run
    found = scores(folder / "openevolve_output")
    assert max(found.values()) > found[0]
    proposed = {
        e["program"]["iteration"]: e["proposer"]
        for e in events(folder / "openevolve_output")
        if e["event"] == "proposed"
    }
    assert {proposed[iteration] for iteration in found} == {"initial", "llm/diff"}
    ended = [e for e in events(folder / "openevolve_output") if e["event"] == "measured"]
    assert sorted(e["iteration"] for e in ended) == list(range(10))
    assert {e["outcome"]["failure"] for e in ended} <= {None, FailureKind.PROPOSAL_INVALID}
    assert len(found) >= 4
    first = next(e["outcome"] for e in ended if e["iteration"] == 0)
    assert first["artifacts"]["raw"] == "bytes"
    assert {"runs", "value_score"} <= set(first["metrics"])


def test_its_language_models_are_asked_as_its_settings_say(
    upstream_run: tuple[Path, str, ReplyServer],
) -> None:
    _, _, server = upstream_run
    bodies = [request.json for request in server.requests]
    assert {body["model"] for body in bodies} == {"gpt-large", "gpt-small"}
    assert {(body["temperature"], body["top_p"], body["max_tokens"]) for body in bodies} == {
        (0.7, 0.95, 4096)
    }
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert all("You are an expert in numerical optimization." in b["messages"][0]["content"] for b in bodies)
    assert any("evaluate_function(x)" in body["messages"][1]["content"] for body in bodies)


def test_its_key_is_nowhere_in_what_the_run_leaves(upstream_run: tuple[Path, str, ReplyServer]) -> None:
    folder, printed, _ = upstream_run
    assert KEY not in printed
    files = [path for path in (folder / "openevolve_output").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert all(KEY.encode() not in path.read_bytes() for path in files)
