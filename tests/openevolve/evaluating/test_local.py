"""Evaluations in processes of their own: slots, devices, limits, environment, and nobody left behind."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from openevolve.evaluating.local import LocalExecutor
from openevolve.records.program import FailureKind, Outcome
from openevolve.settings.models import EvaluatorConfig
from tests.openevolve.evaluating.test_isolation import gone
from tests.support.evaluations import EVALUATOR, executor_for, program, run

Start = Callable[..., LocalExecutor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts executors that end with the test."""
    with ExitStack() as stack:

        def start(evaluator: str = EVALUATOR, **settings: Any) -> LocalExecutor:
            return stack.enter_context(executor_for(tmp_path, evaluator, **settings))

        yield start


@pytest.mark.parametrize("sent", ["[1]", "[" * 100_000, '{"metrics": {"a": NaN}}', '{"a": 1}', "\xff"])
def test_what_a_program_writes_to_the_channel_itself_harms_nobody(start: Start, sent: str) -> None:
    [outcome] = run(start(), f"import os\nos.write(3, {sent.encode('latin-1')!r})\nos._exit(0)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result" in outcome.message


def test_a_result_without_end_is_cut_short(start: Start) -> None:
    [outcome] = run(start(), "import os\nwhile True: os.write(3, b' ' * 65536)")
    assert outcome.failure is FailureKind.CRASHED
    assert "expected a result of at most 16777216 bytes, found more" in outcome.message


def test_evaluations_share_nothing(start: Start) -> None:
    body = "import json\nfound = getattr(json, 'mark', 0)\njson.mark = 1\nreturn {'found': found}"
    assert [outcome.metrics for outcome in run(start(), body, body)] == [{"found": 0}, {"found": 0}]


def test_each_evaluation_has_a_folder_that_goes_with_it(start: Start) -> None:
    [outcome] = run(
        start(),
        "import os\nfrom openevolve.evaluation_result import EvaluationResult\n"
        "return EvaluationResult({'score': 1}, {'folder': os.getcwd(), 'file': __file__})",
    )
    folder = Path(outcome.artifacts["folder"])
    assert Path(outcome.artifacts["file"]) == folder / "program.py"
    assert not folder.exists()


def test_a_hang_ends_in_time_with_its_descendants_and_frees_the_slot(start: Start, tmp_path: Path) -> None:
    executor = start(timeout=2)
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
    [hung] = run(executor, hang)
    pids = (tmp_path / "pids").read_text().split()
    assert not Path("/proc", pids[0]).exists()  # at once: the device is free for the next
    assert hung.failure is FailureKind.TIMEOUT
    assert hung.message == "expected an end within 2 s of wall clock, found none"
    assert hung.output_tail == "thinking\n"
    assert all(gone(int(pid)) for pid in pids)
    assert run(executor, "return {'score': 1}")[0].evaluated


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


def test_slots_run_at_once_each_on_its_device(start: Start, tmp_path: Path) -> None:
    executor = start(parallel_evaluations=3, devices=["5", "7"])
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


def test_a_cancelled_evaluation_ends_and_frees_its_slot(start: Start, tmp_path: Path) -> None:
    executor = start()
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


def test_closing_leaves_no_process_and_no_folder(start: Start) -> None:
    executor = start()
    server, scratch = executor._server._process.pid, executor._server.scratch
    run(executor, "import os\nif os.fork() == 0:\n    import time; time.sleep(1000)\nreturn {'score': 1}")
    executor.close()
    assert gone(server)
    assert not scratch.exists()
