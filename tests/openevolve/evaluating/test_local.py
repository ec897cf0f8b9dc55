"""Evaluations in processes of their own: slots, devices, limits, environment, and nobody left behind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from openevolve.evaluating.local import LocalExecutor
from openevolve.records.program import FailureKind
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import EVALUATOR, gone
from openevolve.testing.executors import ExecutorContract
from tests.support.evaluations import executor_for, run

Start = Callable[..., LocalExecutor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts executors that end with the test."""
    with ExitStack() as stack:

        def start(evaluator: str = EVALUATOR, **settings: Any) -> LocalExecutor:
            return stack.enter_context(executor_for(tmp_path, evaluator, **settings))

        yield start


class TestContract(ExecutorContract):
    def start(self, config: EvaluatorConfig, evaluator: Path) -> LocalExecutor:
        return LocalExecutor(config, evaluator)


@pytest.mark.parametrize("sent", ["[1]", "[" * 100_000, '{"metrics": {"a": NaN}}', '{"a": 1}', "\xff"])
def test_what_a_program_writes_to_the_channel_itself_harms_nobody(start: Start, sent: str) -> None:
    [outcome] = run(start(), f"import os\nos.write(3, {sent.encode('latin-1')!r})\nos._exit(0)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result" in outcome.message


def test_a_result_without_end_is_cut_short(start: Start) -> None:
    [outcome] = run(start(), "import os\nwhile True: os.write(3, b' ' * 65536)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result of at most 16777216 bytes, found more" in outcome.message


def test_each_evaluation_has_a_folder_that_goes_with_it(start: Start) -> None:
    [outcome] = run(
        start(),
        "import os\nfrom openevolve.evaluation_result import EvaluationResult\n"
        "return EvaluationResult({'score': 1}, {'folder': os.getcwd(), 'file': __file__})",
    )
    folder = Path(outcome.artifacts["folder"])
    assert Path(outcome.artifacts["file"]) == folder / "program.py"
    assert not folder.exists()


def test_memory_beyond_the_limit_is_a_failure_of_its_own(start: Start) -> None:
    executor = start(memory_limit_mb=100)
    greedy, after = run(
        executor,
        "import time\nhoard = []\nwhile True:\n    hoard.append(b'x' * 10**7)\n    time.sleep(0.01)",
        "return {'score': 1}",
    )
    assert greedy.failure is FailureKind.OUT_OF_MEMORY
    assert greedy.message == "expected resident memory below evaluator.memory_limit_mb, found more"
    assert after.evaluated


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
def test_crashes_are_tried_again_and_nothing_else(
    start: Start, tmp_path: Path, ends: str, attempts: int
) -> None:
    executor = start(max_retries=2)
    log = tmp_path / "attempts"
    run(
        executor,
        f"import os\nfile = open({str(log)!r}, 'a+'); file.write('x'); file.flush()\n"
        f"file.seek(0); attempts = file.read()\n{ends}",
    )
    assert len(log.read_text()) == attempts


def test_without_devices_nothing_is_bound(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    executor = start()
    [outcome] = run(executor, "import os\nreturn {'device': int(os.environ['CUDA_VISIBLE_DEVICES'])}")
    assert (outcome.metrics, outcome.device) == ({"device": 3}, "")


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


def test_a_killed_fork_server_is_replaced(start: Start) -> None:
    executor = start()
    executor._server._process.kill()
    executor._server._process.wait()
    [outcome] = run(executor, "return {'score': 1}")
    assert outcome.evaluated
    killer, after = run(
        executor, "import os, time; os.kill(os.getppid(), 9); time.sleep(60)", "return {'score': 2}"
    )
    assert killer.failure is FailureKind.CRASHED
    assert after.metrics == {"score": 2}


def test_closing_leaves_no_process_and_no_folder(start: Start) -> None:
    executor = start()
    server, scratch = executor._server._process.pid, executor._server.scratch
    run(executor, "import os\nif os.fork() == 0:\n    import time; time.sleep(1000)\nreturn {'score': 1}")
    executor.close()
    assert gone(server)
    assert not scratch.exists()
