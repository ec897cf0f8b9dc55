"""The engine as a library, in a thread, under an event loop and at the top level."""

import asyncio
import math
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import openevolve
from openevolve import (
    Config,
    EvaluationResult,
    EvolutionResult,
    OpenEvolve,
    evolve_algorithm,
    evolve_code,
    evolve_function,
    run_evolution,
)
from openevolve.config import LLMModelConfig, load_config
from openevolve.errors import UserError
from openevolve.evaluating.sources import evaluator_source
from tests.support.llm_server import Reply, ReplyServer

PROGRAM = "# EVOLVE-BLOCK-START\nX = 1.0\n# EVOLVE-BLOCK-END\n"
SCALE = 10.0


def half(value: float) -> float:
    return value / 2


def score(program_path: str) -> dict[str, float]:
    space = runpy.run_path(program_path)
    return {"combined_score": half(space["X"]) / SCALE, "root": math.sqrt(space["X"])}


def double(x: int) -> int:
    return x + x + 1


class Counter:
    def count(self) -> int:
        return 1


def count_of(instance: Counter) -> float:
    return float(instance.count())


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """Of a model that writes X = 4."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with answering("X = 4.0") as server:
        yield settings(server)


def answering(code: str) -> ReplyServer:
    return ReplyServer([Reply(f"Higher.\n\n```python\n{code}\n```\n")])


def settings(server: ReplyServer) -> Config:
    return load_config(
        None, ["llm.primary_model=large", f"llm.api_base={server.api_base}", "evaluator.timeout=20"]
    )


def test_a_function_scores_programs_elsewhere(config: Config, tmp_path: Path) -> None:
    result = run_evolution(PROGRAM, score, config, iterations=1, output_dir=tmp_path / "run")
    assert isinstance(result, EvolutionResult)
    assert result.best_score == pytest.approx(0.2)
    assert result.metrics == {"combined_score": result.best_score, "root": 2.0}
    assert "X = 4.0" in result.best_code == result.best_program.code
    assert result.output_dir == str(tmp_path / "run")
    assert (tmp_path / "run" / "journal.jsonl").is_file()


def test_a_target_ends_a_run_and_nothing_is_left_of_it(config: Config) -> None:
    result = run_evolution(PROGRAM.split("\n"), score, config, iterations=50, target_score=0.2)
    assert result.reason.startswith("target_score reached")
    assert result.output_dir is None


def test_calls_work_under_an_event_loop_and_in_a_thread(config: Config, tmp_path: Path) -> None:
    async def under_a_loop() -> float:
        return run_evolution(PROGRAM, score, config, iterations=0).best_score

    assert asyncio.run(under_a_loop()) == pytest.approx(0.05)
    found: list[float] = []
    work = threading.Thread(
        target=lambda: found.append(run_evolution(PROGRAM, score, config, iterations=0).best_score)
    )
    work.start()
    work.join()
    assert found == [pytest.approx(0.05)]


def test_a_run_over_files_is_awaited(config: Config, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "evaluator.py").write_text(evaluator_source(score, "evaluate"))
    engine = OpenEvolve(tmp_path / "program.py", tmp_path / "evaluator.py", config=config)
    best = asyncio.run(engine.run(iterations=1))
    assert best.metrics["combined_score"] == pytest.approx(0.2)
    assert (tmp_path / "openevolve_output" / "best" / "best_program.py").is_file()


def test_functions_classes_and_code_evolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with answering("def double(x: int) -> int:\n    return 2 * x") as server:
        result = evolve_function(double, [(1, 2), (3, 6)], iterations=1, config=settings(server))
    assert result.best_score == 1.0
    with answering("class Counter:\n    def count(self):\n        return 3") as server:
        result = evolve_algorithm(Counter, count_of, iterations=1, config=settings(server))
    assert result.best_score == 3.0
    with answering("X = 9.0") as server:
        result = evolve_code(
            "X = 1.0", lambda p: {"score": runpy.run_path(p)["X"]}, 1, config=settings(server)
        )
    assert result.best_score == 9.0


def test_what_cannot_be_scored_elsewhere_is_refused(config: Config) -> None:
    lock = threading.Lock()

    def guarded(program_path: str) -> dict[str, float]:
        with lock:
            return {"combined_score": 1.0}

    with pytest.raises(UserError, match="one that uses lock, a lock"):
        run_evolution(PROGRAM, guarded, config)
    with pytest.raises(UserError, match="expected a file, or code that defines evaluate"):
        run_evolution(PROGRAM, "import os\n", config)
    with pytest.raises(UserError, match="expected at least one language model"):
        run_evolution(PROGRAM, score)


def test_names_that_library_users_import(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "llm: {models: [{name: a, provider: openai}]}\nallow_full_rewrites: true\n"
    )
    config = Config.from_yaml(tmp_path / "config.yaml")
    assert config.llm.models == [LLMModelConfig(name="a")]
    result = EvaluationResult.from_dict({"combined_score": 0.5})
    assert (result.has_artifacts(), result.get_total_artifact_size()) == (False, 0)
    assert EvaluationResult({}, {"a": "µ", "b": b"123"}).get_total_artifact_size() == 5
    assert all(hasattr(openevolve, name) for name in openevolve.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evolve'"):
        openevolve.evolve  # noqa: B018
