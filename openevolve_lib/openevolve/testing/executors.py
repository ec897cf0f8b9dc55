"""The contract of executors: inherit it and set ``start``."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openevolve.errors import UserError
from openevolve.evaluating.executor import Executor, Look
from openevolve.evaluation_result import EvaluationFailed
from openevolve.records.measurement import Unit
from openevolve.records.program import FailureKind, Outcome, Rung
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import ONE, RUNGS, UNITS, appears, gone, hang, program, rendezvous


class ExecutorContract(ABC):
    """What every run relies on."""

    @abstractmethod
    def start(self, config: EvaluatorConfig, evaluator: Path) -> Executor: ...

    @contextmanager
    def executor(self, folder: Path, evaluator: str = RUNGS, **settings: Any) -> Iterator[Executor]:
        path = folder / "evaluator.py"
        path.write_text(evaluator)
        executor = self.start(EvaluatorConfig(**{"timeout": 20, **settings}), path)
        try:
            yield executor
        finally:
            executor.close()

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("raise ArithmeticError('half')", "crashed"),
            ("import os; os._exit(3)", "crashed"),
            ("import os; os.kill(os.getpid(), 9)", "crashed"),
            ("import no_such_module", "import_error"),
            ("return {'score': float('nan')}", "diverged"),
            ("while True: pass", "timeout"),
            ("return {'score': 0.5, 'count': 3}", None),
        ],
    )
    def test_an_outcome_whatever_a_program_does(self, tmp_path: Path, body: str, kind: str | None) -> None:
        with self.executor(tmp_path, timeout=2 if kind == "timeout" else 20) as executor:
            outcome = asyncio.run(executor.evaluate(program(body)))
            assert (outcome.program_id, outcome.failure) == ("program", kind)
            assert outcome.metrics == ({} if kind else {"score": 0.5, "count": 3})
            assert bool(outcome.message) == bool(kind)
            assert asyncio.run(executor.evaluate(program(ONE))).metrics == {"score": 1}

    def test_evaluations_share_nothing(self, tmp_path: Path) -> None:
        body = "import json\nfound = getattr(json, 'mark', 0)\njson.mark = 1\nreturn {'found': found}"
        with self.executor(tmp_path) as executor:
            for _ in range(2):
                assert asyncio.run(executor.evaluate(program(body))).metrics == {"found": 0}

    def test_a_hang_ends_in_time_with_its_descendants(self, tmp_path: Path) -> None:
        with self.executor(tmp_path, timeout=2) as executor:
            hung = asyncio.run(executor.evaluate(program(hang(tmp_path / "pids"))))
            pids = (tmp_path / "pids").read_text().split()
            assert not Path("/proc", pids[0]).exists()  # at once: the device is free for the next
            assert hung.failure is FailureKind.TIMEOUT
            assert hung.message == "expected an end within 2 s of wall clock, found none"
            assert hung.output_tail == "thinking\n"
            assert all(gone(int(pid)) for pid in pids)
            assert asyncio.run(executor.evaluate(program(ONE))).evaluated

    def test_as_many_run_at_once_as_there_are_slots(self, tmp_path: Path) -> None:
        """Each waits until all slots are taken: one slot fewer, and all would time out."""
        events: list[str] = []

        async def evaluate(executor: Executor) -> Outcome:
            outcome = await executor.evaluate(
                program(rendezvous(tmp_path, 3)), None, lambda: events.append("started")
            )
            events.append("ended")
            return outcome

        async def all_at_once(executor: Executor) -> list[Outcome]:
            return await asyncio.gather(*(evaluate(executor) for _ in range(5)))

        with self.executor(tmp_path, parallel_evaluations=3, devices=["5", "7"]) as executor:
            assert executor.slots == 3
            outcomes = asyncio.run(all_at_once(executor))
        assert all(outcome.evaluated for outcome in outcomes)
        devices = [outcome.device.partition("@")[0] for outcome in outcomes]  # elsewhere: 5@host
        assert sorted(devices[:3]) == ["5", "5", "7"]
        assert [f"{outcome.metrics['device']:.0f}" for outcome in outcomes] == devices
        assert events[:3] == ["started"] * 3
        assert events.count("started") == events.count("ended") == 5
        running = [events[:i].count("started") - events[:i].count("ended") for i in range(len(events))]
        assert 0 <= min(running) <= max(running) <= 3

    def test_a_cancelled_evaluation_ends_and_frees_its_slot(self, tmp_path: Path) -> None:
        pids, started = tmp_path / "pids", list[str]()

        async def cancel_and_go_on(executor: Executor) -> Outcome:
            first, second = (
                asyncio.create_task(executor.evaluate(program(body), None, partial(started.append, name)))
                for name, body in (("first", hang(pids)), ("second", ONE))
            )
            await appears(pids)
            async with asyncio.timeout(20):
                while not started:  # elsewhere it begins before that is heard of
                    await asyncio.sleep(0.01)
            second.cancel()  # while it waits
            await asyncio.wait([second])
            assert started == ["first"]
            first.cancel()
            await asyncio.wait([first, second])
            assert [first.cancelled(), second.cancelled()] == [True, True]
            return await executor.evaluate(program(ONE))

        with self.executor(tmp_path) as executor:
            assert asyncio.run(cancel_and_go_on(executor)).evaluated
        assert all(gone(int(pid)) for pid in pids.read_text().split())

    @pytest.mark.parametrize(("promoted", "rung", "metrics"), [(False, 1, "first"), (True, 0, "score")])
    def test_the_engine_decides_between_rungs(
        self, tmp_path: Path, promoted: bool, rung: int, metrics: str
    ) -> None:
        asked: list[Rung] = []

        def decide(result: Rung) -> bool:
            asked.append(result)
            return promoted

        with self.executor(tmp_path) as executor:
            outcome = asyncio.run(executor.evaluate(program(ONE), decide))
        assert (outcome.failure, outcome.rung, outcome.metrics) == (None, rung, {metrics: 1})
        assert [(result.number, result.metrics) for result in asked][:1] == [(1, {"first": 1})]

    def test_a_unit_is_measured_with_the_repeat_that_is_asked_for(self, tmp_path: Path) -> None:
        body = "return {'score': 1}\nunits_of_this = 3"
        with self.executor(tmp_path, UNITS) as executor:
            looked = asyncio.run(executor.look(program(body), Look("second", 7)))
            failed = asyncio.run(executor.look(program("raise ArithmeticError('half')"), Look("first", 0)))
            whole = asyncio.run(executor.evaluate(program(body)))
        assert (looked.failure, looked.metrics) == (None, {"score": 1, "second": 7})
        assert (failed.failure, failed.metrics) == ("crashed", {})
        assert whole.metrics == {"score": 1}

    def test_units_are_what_the_evaluator_offers(self, tmp_path: Path) -> None:
        with self.executor(tmp_path, UNITS) as executor:
            offered = asyncio.run(executor.offered(program(ONE)))
        assert offered == (Unit("first", "a", cost=2.0, repeats=3, metric="one"), Unit("second", "b"))

    @pytest.mark.parametrize(
        ("evaluator", "words"),
        [
            (RUNGS, r"expected functions units\(\) and measure\("),
            (UNITS.replace("'group': 'b'", "'kind': 'b'"), r"expected units\(\) to return .*kind"),
            (UNITS.replace("2.0", "0"), r"expected units\(\) to return .*a cost above 0"),
        ],
    )
    def test_units_that_are_none_are_said(self, tmp_path: Path, evaluator: str, words: str) -> None:
        with self.executor(tmp_path, evaluator) as executor, pytest.raises(UserError, match=words):
            asyncio.run(executor.offered(program(ONE)))

    def test_a_useless_rung_is_a_failure(self, tmp_path: Path) -> None:
        def decide(result: Rung) -> bool:
            raise EvaluationFailed(FailureKind.DIVERGED, "expected a score, found none")

        with self.executor(tmp_path) as executor:
            outcome = asyncio.run(executor.evaluate(program(ONE), decide))
        assert (outcome.failure, outcome.message) == ("diverged", "expected a score, found none")

    def test_closing_leaves_no_process(self, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        body = (
            f"import os, time\nchild = os.fork()\nif not child: time.sleep(1000)\n"
            f"open({str(pid)!r}, 'w').write(str(child))\n{ONE}"
        )
        with self.executor(tmp_path) as executor:
            assert asyncio.run(executor.evaluate(program(body))).evaluated
        assert gone(int(pid.read_text()))
