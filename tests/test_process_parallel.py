"""Evaluations in processes of their own: what comes back, every way to fail, slots, devices, environment."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from openevolve.config import EvaluatorConfig
from openevolve.process_parallel import LocalExecutor
from openevolve.program import FailureKind, Outcome, Program
from tests.test_isolation import gone

# The tests' programs say themselves what the evaluator returns.
EVALUATOR = """
import runpy

def evaluate(program_path):
    return runpy.run_path(program_path)["result"]()
"""


def executor_for(folder: Path, evaluator: str = EVALUATOR, **settings: Any) -> LocalExecutor:
    path = folder / "evaluator.py"
    path.write_text(evaluator)
    return LocalExecutor(EvaluatorConfig(**{"timeout": 20, **settings}), path)


def program(body: str) -> Program:
    return Program("program", f"def result():\n{indent(body, '    ')}\n", iteration=1, island=0)


def run(executor: LocalExecutor, *bodies: str) -> list[Outcome]:
    """Evaluate programs with these bodies, one after the other."""
    return [asyncio.run(executor.evaluate(program(body))) for body in bodies]


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    executor = executor_for(tmp_path_factory.mktemp("evaluator"), preload=["numpy"])
    yield executor
    executor.close()


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
        ("return {'score': 1, 'loss': -float('inf')}", "diverged", "found loss = -inf"),
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


@pytest.mark.parametrize("sent", ["[1]", "[" * 100_000, '{"metrics": {"a": NaN}}', '{"a": 1}', "\xff"])
def test_what_a_program_writes_to_the_channel_itself_harms_nobody(executor: LocalExecutor, sent: str) -> None:
    [outcome] = run(executor, f"import os\nos.write(3, {sent.encode('latin-1')!r})\nos._exit(0)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result" in outcome.message


def test_a_result_without_end_is_cut_short(executor: LocalExecutor) -> None:
    [outcome] = run(executor, "import os\nwhile True: os.write(3, b' ' * 65536)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result of at most 16777216 bytes, found more" in outcome.message


def test_evaluations_share_nothing(executor: LocalExecutor) -> None:
    body = "import json\nfound = getattr(json, 'mark', 0)\njson.mark = 1\nreturn {'found': found}"
    assert [outcome.metrics for outcome in run(executor, body, body)] == [{"found": 0}, {"found": 0}]


def test_each_evaluation_has_a_folder_that_goes_with_it(executor: LocalExecutor) -> None:
    [outcome] = run(
        executor,
        "import os\nfrom openevolve.evaluation_result import EvaluationResult\n"
        "return EvaluationResult({'score': 1}, {'folder': os.getcwd(), 'file': __file__})",
    )
    folder = Path(outcome.artifacts["folder"])
    assert Path(outcome.artifacts["file"]) == folder / "program.py"
    assert not folder.exists()


def test_a_hang_ends_in_time_with_its_descendants_and_frees_the_slot(tmp_path: Path) -> None:
    executor = executor_for(tmp_path, timeout=1)
    hang = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("thinking", flush=True)
child = os.fork()
if child == 0:
    os.setsid()
else:
    open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child}}")
time.sleep(1000)
"""
    hung, after = run(executor, hang, "return {'score': 1}")
    assert hung.failure is FailureKind.TIMEOUT
    assert hung.message == "expected an end within 1 s of wall clock, found none"
    assert hung.output_tail == "thinking\n"
    assert after.evaluated
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    executor.close()


def test_memory_beyond_the_limit_is_a_failure_of_its_own(tmp_path: Path) -> None:
    executor = executor_for(tmp_path, memory_limit_mb=100)
    greedy, after = run(
        executor,
        "import time\nhoard = []\nwhile True:\n    hoard.append(b'x' * 10**7)\n    time.sleep(0.01)",
        "return {'score': 1}",
    )
    assert greedy.failure is FailureKind.OUT_OF_MEMORY
    assert greedy.message == "expected resident memory below evaluator.memory_limit_mb, found more"
    assert after.evaluated
    executor.close()


@pytest.mark.parametrize(
    ("ends", "attempts"),
    [
        ("os._exit(1)", 3),
        ("raise ValueError", 3),
        ("raise MemoryError", 3),
        ("raise ImportError", 1),  # the same again would change nothing
        ("return {'score': float('nan')}", 1),
        ("return {'score': 1}", 1),
        ("return {'score': 1} if len(attempts) == 2 else os._exit(1)", 2),
    ],
)
def test_crashes_are_tried_again_and_nothing_else(tmp_path: Path, ends: str, attempts: int) -> None:
    executor = executor_for(tmp_path, max_retries=2)
    log = tmp_path / "attempts"
    run(
        executor,
        f"import os\nfile = open({str(log)!r}, 'a+'); file.write('x'); file.flush()\n"
        f"file.seek(0); attempts = file.read()\n{ends}",
    )
    assert len(log.read_text()) == attempts
    executor.close()


def test_slots_run_at_once_each_on_its_device(tmp_path: Path) -> None:
    executor = executor_for(tmp_path, parallel_evaluations=3, devices=["5", "7"])
    # Each waits until as many as there are slots have begun: one slot fewer, and all would time out.
    body = f"""
import os, time, uuid
open(os.path.join({str(tmp_path)!r}, f"began-{{uuid.uuid4()}}"), "w").close()
while sum(name.startswith("began-") for name in os.listdir({str(tmp_path)!r})) < 3:
    time.sleep(0.005)
return {{"device": int(os.environ["CUDA_VISIBLE_DEVICES"])}}
"""

    async def all_at_once() -> list[Outcome]:
        return await asyncio.gather(*(executor.evaluate(program(body)) for _ in range(4)))

    outcomes = asyncio.run(all_at_once())
    assert all(outcome.evaluated for outcome in outcomes)
    assert sorted(outcome.device for outcome in outcomes[:3]) == ["5", "5", "7"]
    assert [f"{outcome.metrics['device']:.0f}" for outcome in outcomes] == [o.device for o in outcomes]
    executor.close()


def test_without_devices_nothing_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    executor = executor_for(tmp_path)
    [outcome] = run(executor, "import os\nreturn {'device': int(os.environ['CUDA_VISIBLE_DEVICES'])}")
    assert (outcome.metrics, outcome.device) == ({"device": 3}, "")
    executor.close()


def test_keys_stay_out_of_evaluations_unless_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "HF_TOKEN", "DATA_HOST"):
        monkeypatch.setenv(name, "planted")
    tell = (
        "import os\nfrom openevolve.evaluation_result import EvaluationResult\n"
        "own = open('/proc/self/environ').read() + open(f'/proc/{os.getppid()}/environ').read()\n"
        "return EvaluationResult({'planted': own.count('planted')}, os.environ)"
    )
    path = tmp_path / "evaluator.py"
    path.write_text(EVALUATOR)
    for passed, expected in (([], {}), (["DATA_HOST"], {"DATA_HOST": "planted"})):
        settings = EvaluatorConfig(pass_environment=passed)
        executor = LocalExecutor(settings, path, environment={"ARTIFACTS": "here"})
        [outcome] = run(executor, tell)
        found = {name: value for name, value in outcome.artifacts.items() if value == "planted"}
        assert found == expected
        assert outcome.metrics["planted"] == 2 * len(expected)
        assert outcome.artifacts["ARTIFACTS"] == "here"
        executor.close()


def test_a_killed_fork_server_is_replaced(tmp_path: Path) -> None:
    executor = executor_for(tmp_path)
    executor._server._process.kill()
    executor._server._process.wait()
    [outcome] = run(executor, "return {'score': 1}")
    assert outcome.evaluated
    killer, after = run(
        executor, "import os, time; os.kill(os.getppid(), 9); time.sleep(60)", "return {'score': 2}"
    )
    assert killer.failure is FailureKind.CRASHED
    assert after.metrics == {"score": 2}
    executor.close()


def test_a_cancelled_evaluation_ends_and_frees_its_slot(tmp_path: Path) -> None:
    executor = executor_for(tmp_path)
    pid = tmp_path / "pid"

    async def cancel_and_go_on() -> Outcome:
        hang = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
        task = asyncio.create_task(executor.evaluate(program(hang)))
        deadline = time.monotonic() + 20
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return await executor.evaluate(program("return {'score': 1}"))

    assert asyncio.run(cancel_and_go_on()).evaluated
    assert gone(int(pid.read_text()))
    executor.close()


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
    executor = executor_for(tmp_path, evaluator)
    [outcome] = run(executor, "return {'score': 1}")
    assert outcome.failure is FailureKind.IMPORT_ERROR
    assert outcome.message.startswith(f"{tmp_path / 'evaluator.py'}: {message}")
    executor.close()


def test_an_evaluator_may_import_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("SCORE = 4")
    executor = executor_for(tmp_path, "import beside\ndef evaluate(path): return {'score': beside.SCORE}")
    assert run(executor, "")[0].metrics == {"score": 4}
    executor.close()


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
    executor = executor_for(tmp_path, CASCADE, **settings)
    [outcome] = run(executor, f"return {{{first}}}")
    assert outcome.metrics == metrics
    assert outcome.artifacts == ({"note": "of stage 2"} if "second" in metrics else {})
    executor.close()


def test_a_failure_in_a_later_stage_is_one_of_the_program(tmp_path: Path) -> None:
    executor = executor_for(tmp_path, CASCADE.replace('{"third": 1', '{"third": 1 / 0'))
    [outcome] = run(executor, "return {'combined_score': 1}")
    assert (outcome.failure, outcome.metrics) == (FailureKind.CRASHED, {})
    executor.close()


def test_closing_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    executor = executor_for(tmp_path)
    server, scratch = executor._server._process.pid, executor._server.scratch
    run(executor, "import os\nif os.fork() == 0:\n    import time; time.sleep(1000)\nreturn {'score': 1}")
    executor.close()
    assert gone(server)
    assert not scratch.exists()
    assert not os.path.exists(f"/proc/{server}")
