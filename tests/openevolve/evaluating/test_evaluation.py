"""Inside an evaluation: what an evaluator may return, every way to fail, and cascades."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openevolve.evaluating.channel import Report
from openevolve.evaluating.imports import preloadable
from openevolve.evaluating.local import LocalExecutor
from openevolve.evaluating.remedies import with_remedy
from openevolve.records.program import FailureKind, Program
from openevolve.settings.models import EvaluatorConfig
from tests.support.evaluations import executor_for, run


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    with executor_for(tmp_path_factory.mktemp("evaluator"), preload=["numpy"]) as executor:
        yield executor


@pytest.mark.parametrize(
    ("returned", "metrics"),
    [
        ("{'combined_score': 0.5, 'count': 3, 'ok': True}", {"combined_score": 0.5, "count": 3, "ok": 1}),
        ("{'score': 1.0, 'error': 'none', 'log': None, 'path': [1, 2]}", {"score": 1}),
        ("{'a': np.float64(0.1), 'b': np.float32(0.5), 'c': np.int64(7), 'd': np.array(2.5)}",
         {"a": 0.1, "b": 0.5, "c": 7, "d": 2.5}),
        ("{1: 2}", {"1": 2}),
        ("EvaluationResult(metrics={'score': 2})", {"score": 2}),
        ("EvaluationResult.from_dict({'score': 2})", {"score": 2}),
        ("types.MappingProxyType({'score': 2})", {"score": 2}),
    ],
)  # fmt: skip
def test_numbers_of_every_kind_are_metrics(
    executor: LocalExecutor, returned: str, metrics: dict[str, float]
) -> None:
    imports = "import types\nimport numpy as np\nfrom openevolve.evaluation_result import EvaluationResult\n"
    [outcome] = run(executor, f"{imports}return {returned}")
    assert outcome.evaluated, outcome
    assert outcome.metrics == metrics
    assert {type(value) for value in outcome.metrics.values()} == {float}
    assert outcome.seconds > 0


def test_artifacts_are_texts_of_bounded_length(executor: LocalExecutor) -> None:
    [outcome] = run(
        executor,
        "from openevolve.evaluation_result import EvaluationResult\n"
        r"artifacts = {'text': 'é\udc80', 'bytes': b'\xff\xfeok', 'number': 3, 'long': 'x' * 200_000}"
        "\nreturn EvaluationResult({'score': 1}, artifacts)",
    )
    long = outcome.artifacts["long"]
    assert {**outcome.artifacts, "long": ""} == {
        "text": "é?", "bytes": "\ufffd\ufffdok", "number": "3", "long": "",
    }  # fmt: skip
    assert len(long) == 100_000


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("raise ArithmeticError('half')", "crashed", "ArithmeticError: half"),
        ("raise KeyboardInterrupt", "crashed", "KeyboardInterrupt: "),
        ("import sys; sys.exit('enough')", "crashed", "SystemExit: enough"),
        ("import no_such_module", "import_error", "No module named 'no_such_module'"),
        ("exec('1 +')", "import_error", "SyntaxError: invalid syntax"),
        ("raise MemoryError", "out_of_memory", "MemoryError: "),
        ("raise TimeoutError('slow')", "timeout", "TimeoutError: slow"),
        ("return {'score': float('nan')}", "diverged", "expected finite metrics, found score = nan"),
        ("return {'combined_score': -float('inf'), 'loss': 1}", "diverged", "found combined_score = -inf"),
        ("return 0.5", "crashed", "a mapping of metrics or an EvaluationResult, found float"),
        ("return None", "crashed", "found NoneType"),
        ("import os; os._exit(0)", "crashed", "expected a result, found an end by exit code 0"),
        ("import os; os._exit(3)", "crashed", "expected a result, found an end by exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "crashed", "found an end by signal 9"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "found an end by signal 11"),
        ("def f(): f()\nf()", "crashed", "RecursionError: maximum recursion depth exceeded"),
        ("raise type('Rude', (Exception,), {'__str__': None})", "crashed", "found an end by exit code 1"),
    ],
)
def test_every_way_to_end_has_its_kind(
    executor: LocalExecutor, body: str, kind: FailureKind, message: str
) -> None:
    [outcome] = run(executor, body)
    assert (outcome.failure, outcome.metrics) == (kind, {})
    assert message in outcome.message


def test_the_tail_of_the_output_ends_with_the_traceback(executor: LocalExecutor) -> None:
    [outcome] = run(executor, "print('x' * 5000)\nprint('just before')\nraise ValueError('here')")
    assert outcome.output_tail.index("just before") < outcome.output_tail.index("Traceback")
    assert outcome.output_tail.endswith("ValueError: here\n")
    assert len(outcome.output_tail) == 4000


def test_output_before_an_abrupt_end_is_kept(executor: LocalExecutor) -> None:
    [outcome] = run(executor, "import os; print('last words', flush=True); os._exit(1)")
    assert outcome.output_tail == "last words\n"


@pytest.mark.parametrize("stream", ["sys.stdout.close()", "sys.stdout = None", "os.close(1); os.close(2)"])
def test_a_program_may_do_away_with_its_output(executor: LocalExecutor, stream: str) -> None:
    scored, failed = run(
        executor,
        f"import os, sys; {stream}; return {{'score': 1}}",
        f"import os, sys; {stream}; raise ImportError('torch')",
    )
    assert scored.metrics == {"score": 1}
    assert (failed.failure, failed.message) == ("import_error", "ImportError: torch")


@pytest.mark.parametrize("kind", FailureKind)
def test_an_evaluator_that_knows_why_says_so(executor: LocalExecutor, kind: FailureKind) -> None:
    [outcome] = run(
        executor,
        "from openevolve.evaluation_result import EvaluationFailed\nprint('of the evaluator')\n"
        f"raise EvaluationFailed({kind.value!r}, 'expected 7 classes, found 2', 'of the program')",
    )
    assert outcome.failure is kind
    assert outcome.message == "expected 7 classes, found 2"
    assert outcome.output_tail == "of the program"


def test_a_failure_of_no_known_kind_is_a_crash(executor: LocalExecutor) -> None:
    [outcome] = run(
        executor,
        "from openevolve.evaluation_result import EvaluationFailed\nraise EvaluationFailed('bored', 'why')",
    )
    assert outcome.failure is FailureKind.CRASHED
    assert "'bored' is not a valid FailureKind" in outcome.message


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        ("import no_such_module", "expected an evaluator that imports, found ModuleNotFoundError: No module"),
        ("def evaluate(:", "expected an evaluator that imports, found SyntaxError: "),
        ("1 / 0", "expected an evaluator that imports, found ZeroDivisionError: division by zero"),
        ("def score(path): ...", r"expected a function evaluate(program_path), found none"),
    ],
)
def test_a_fault_of_the_evaluator_names_its_file(tmp_path: Path, evaluator: str, message: str) -> None:
    with executor_for(tmp_path, evaluator) as executor:
        [outcome] = run(executor, "return {'score': 1}")
    assert outcome.failure is FailureKind.IMPORT_ERROR
    assert outcome.message.startswith(f"{tmp_path / 'evaluator.py'}: {message}")


def test_an_evaluator_may_import_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("SCORE = 4")
    evaluator = "import beside\ndef evaluate(path): return {'score': beside.SCORE}"
    with executor_for(tmp_path, evaluator) as executor:
        assert run(executor, "")[0].metrics == {"score": 4}


CASCADE = """
import os, runpy
from openevolve.evaluation_result import EvaluationResult

def evaluate(path):
    return {"whole": 1}

def evaluate_stage1(path):
    return {"first": 1, **runpy.run_path(path)["result"]()}

def evaluate_stage2(path):
    return EvaluationResult({"second": 1, "combined_score": 0.8}, {"note": "of stage 2"})

def evaluate_stage3(path):
    return {"third": 1, "combined_score": 0.9}
"""


@pytest.mark.parametrize(
    ("first", "settings", "metrics"),
    [
        ("'combined_score': 0.4", {}, {"first": 1, "combined_score": 0.4}),
        ("'combined_score': 0.5", {}, {"first": 1, "second": 1, "third": 1, "combined_score": 0.9}),
        ("'combined_score': 0.5", {"cascade_thresholds": [0.5, 0.85]},
         {"first": 1, "second": 1, "combined_score": 0.8}),
        ("'combined_score': 0.5", {"cascade_thresholds": [0.5]},
         {"first": 1, "second": 1, "combined_score": 0.8}),
        ("'other': -0.2", {}, {"first": 1, "other": -0.2}),  # a mean of 0.4
        ("'other': 0.2, 'text': 'x'", {}, {"first": 1, "other": 0.2, "second": 1, "third": 1,
                                           "combined_score": 0.9}),
        ("'combined_score': 0.4", {"cascade_evaluation": False}, {"whole": 1}),
    ],
)  # fmt: skip
def test_a_stage_runs_where_the_one_before_reached_its_threshold(
    tmp_path: Path, first: str, settings: dict[str, Any], metrics: dict[str, float]
) -> None:
    with executor_for(tmp_path, CASCADE, **settings) as executor:
        [outcome] = run(executor, f"return {{{first}}}")
    assert outcome.metrics == metrics
    said = {"text": "x"} if "text" in first else {}
    assert outcome.artifacts == said | ({"note": "of stage 2"} if "second" in metrics else {})


def test_a_failure_in_a_later_stage_is_one_of_the_program(tmp_path: Path) -> None:
    with executor_for(tmp_path, CASCADE.replace('{"third": 1', '{"third": 1 / 0')) as executor:
        [outcome] = run(executor, "return {'combined_score': 1}")
    assert (outcome.failure, outcome.metrics) == (FailureKind.CRASHED, {})


def test_what_is_no_finite_number_among_metrics_is_an_artifact(executor: LocalExecutor) -> None:
    returned = "{'combined_score': 0, 'loss': float('inf'), 'error': 'No solution', 'log': ''}"
    [outcome] = run(executor, f"return {returned}")
    assert outcome.metrics == {"combined_score": 0}
    assert outcome.artifacts == {
        "loss": "inf: not a finite number, so no metric",
        "error": "No solution",
    }


def test_an_evaluator_may_be_asynchronous(tmp_path: Path) -> None:
    evaluator = tmp_path / "evaluator.py"
    evaluator.write_text(
        "import asyncio\n\nasync def evaluate(program_path):\n"
        "    await asyncio.sleep(0)\n    return {'combined_score': 0.25}\n"
    )
    executor = LocalExecutor(EvaluatorConfig(), evaluator)
    try:
        outcome = asyncio.run(executor.evaluate(Program("p", "x = 1", 0, 0)))
    finally:
        executor.close()
    assert outcome.metrics == {"combined_score": 0.25}


def test_what_an_evaluator_imports_is_preloaded(tmp_path: Path) -> None:
    evaluator = tmp_path / "evaluator.py"
    evaluator.write_text(
        "import os\nimport numpy as np\nfrom scipy.spatial import distance\nfrom helpers import load\n"
        "import jax\n\ndef evaluate(path):\n    import pandas\n"
    )
    assert preloadable(evaluator) == ["numpy", "scipy", "pandas"]
    evaluator.write_text("def evaluate(:\n")
    assert preloadable(evaluator) == []


@pytest.mark.parametrize(
    ("report", "remedy"),
    [
        (Report(failure=FailureKind.FORBIDDEN, message="PermissionError: x"), "evaluator.read: [FOLDER]"),
        (Report(failure=FailureKind.CRASHED, message="KeyError: 'MY_DATA'"), "pass_environment: [MY_DATA]"),
        (Report(metrics={"a": 0}, artifacts={"error": "[Errno 13] Permission denied: 'cargo'"}),
         "isolation: process"),
        (Report(metrics={"a": 0}, artifacts={"error": "[Errno 13] Permission denied: 'cargo'"}),
         "; no program cargo is on PATH"),
        (Report(metrics={"a": 0}, artifacts={"error": "[Errno 13] Permission denied: 'sh'"}),
         "evaluator.read: [/usr/bin]"),
        (Report(metrics={"a": 0}, artifacts={"error": "[Errno 13] Permission denied: '/data/x.csv'"}),
         "evaluator.read: [/data]"),
        (Report(metrics={"a": 0}, artifacts={"error": "[Errno 2] No such file or directory: 'Rscript'"}),
         "Rscript is neither a file nor a program on PATH: install it"),
        (Report(metrics={"a": 0}, artifacts={"error": "KeyError: 'NOT_SET'"}), ""),
        (Report(failure=FailureKind.CRASHED, message="ValueError: x"), ""),
    ],
)  # fmt: skip
def test_a_refusal_names_its_remedy(monkeypatch: pytest.MonkeyPatch, report: Report, remedy: str) -> None:
    monkeypatch.setenv("MY_DATA", "/data")
    monkeypatch.setenv("PATH", "/usr/bin")
    found = with_remedy(report)
    assert remedy in found.message + found.artifacts.get("walls", "")
    assert remedy or found == report
