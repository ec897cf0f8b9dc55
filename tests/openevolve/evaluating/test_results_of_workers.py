"""What a worker leaves as a result is checked: its shape, and of which order, program and protocol it is."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openevolve.errors import RunInterrupted
from openevolve.evaluating.channel import MESSAGE_BYTES
from openevolve.evaluating.executor import Site
from openevolve.evaluating.remote.folder import SharedFolder, order_of
from openevolve.evaluating.remote.messages import VERSION, Order, Result, WorkerBeat, digest_of
from openevolve.evaluating.workers import WorkersExecutor
from openevolve.records.program import FailureKind, Outcome
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import EVALUATOR, ONE, program

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[WorkersExecutor]:
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    site = Site(EvaluatorConfig(), tmp_path / "evaluator.py", tmp_path / "run")
    made = WorkersExecutor(site, WorkersExecutor.Settings(lease=1, most_lost=3))
    yield made
    made.close()


class Hand:
    """A worker whose results the test writes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = SharedFolder(folder)

    def beat(self, number: int) -> None:
        protocol = json.loads((self.folder.root / "driver.json").read_text())["protocol"]
        beat = WorkerBeat(beat=number, slots=1, host="there", pid=1, protocol=protocol)
        self.folder.write("workers", f"{self.name}.json", beat.to_bytes())

    async def claim(self) -> Order:
        async with asyncio.timeout(20):
            while not (waiting := self.folder.names("queue")):
                await asyncio.sleep(0.01)
        order = order_of(waiting[0])
        assert self.folder.move("queue", waiting[0], "claimed", f"{order}@{self.name}.1")
        self.beat(1)
        return Order.read(self.folder.read("claimed", f"{order}@{self.name}.1") or b"")

    def result(self, order: Order, **found: Any) -> dict[str, Any]:
        values = found or {"found": {"metrics": {"score": 1.0}}}
        return Result.model_validate({
            "order": order.id, "protocol": order.protocol, "program": digest_of(str(order.program["code"])),
            "worker": self.name, "host": "there", **values,
        }).model_dump(mode="json")  # fmt: skip

    def leave(self, order: Order, text: str) -> None:
        self.folder.write("results", order.id, text.encode())
        self.folder.remove("claimed", f"{order.id}@{self.name}.1")


def changed(**values: Any) -> Change:
    return lambda result: {**result, **values}


def in_found(**values: Any) -> Change:
    return lambda result: {**result, "found": {**result["found"], **values}}


BAD: dict[str, tuple[Change, str]] = {
    "no JSON": (lambda _: "half a resu", "Invalid JSON"),
    "another shape": (lambda _: [1], "expected a result"),
    "a field too many": (changed(extra=1), "found in extra"),
    "no program": (lambda result: {k: v for k, v in result.items() if k != "program"}, "found in program"),
    "of another version": (changed(version=VERSION + 1), f"expected version {VERSION}"),
    "of another order": (changed(order="0" * 32), "expected order"),
    "of another program": (changed(program="0" * 32), "expected program"),
    "by another protocol": (changed(protocol="0" * 32), "expected protocol"),
    "nothing": (changed(found=None), "found none"),
    "two in one": (changed(refused="no"), "expected one of"),
    "a score that is none": (in_found(metrics={"score": float("nan")}), "found in found.metrics.score"),
    "a score in words": (in_found(metrics={"score": "high"}), "found in found.metrics.score"),
    "a failure of no kind": (in_found(failure="tired"), "found in found.failure"),
    "a rung": (in_found(rung=1), "expected no rung"),
    "units": (changed(found=None, units=[]), "expected an outcome"),
    "more than fits": (lambda _: " " * (MESSAGE_BYTES + 1), "expected at most"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_what_is_no_result_is_refused_with_its_worker_and_measured_by_another(
    executor: WorkersExecutor, tmp_path: Path, change: Change, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run/workers"

    async def measured() -> Outcome:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        bad = Hand(folder, "bad")
        order = await bad.claim()
        await asyncio.sleep(0.1)  # until the driver knows who has it
        left = change(bad.result(order))
        bad.leave(order, left if isinstance(left, str) else json.dumps(left))
        good = Hand(folder, "good")
        assert await good.claim() == order
        good.leave(order, json.dumps(good.result(order)))
        return await task

    outcome = asyncio.run(measured())
    assert (outcome.metrics, outcome.device) == ({"score": 1.0}, "@there")
    assert words in (folder / "workers/bad.refused").read_text()
    assert not (folder / "workers/good.refused").exists()
    assert words in caplog.text
    assert len(list((folder / "unusable").iterdir())) == 1


def test_a_link_is_no_result(executor: WorkersExecutor, tmp_path: Path) -> None:
    """Nothing outside of the folder is read through one."""
    folder = tmp_path / "run/workers"

    async def measured() -> Outcome:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        hand = Hand(folder, "hand")
        order = await hand.claim()
        (tmp_path / "elsewhere").write_text(json.dumps(hand.result(order)))
        os.symlink(tmp_path / "elsewhere", folder / "results" / order.id)
        await asyncio.sleep(0.2)
        assert not task.done()
        hand.leave(order, json.dumps(hand.result(order, found={"metrics": {"score": 2.0}})))
        return await task

    assert asyncio.run(measured()).metrics == {"score": 2.0}


def test_a_program_that_costs_one_worker_after_the_other_has_failed(
    executor: WorkersExecutor, tmp_path: Path
) -> None:
    async def measured() -> Outcome:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        for number in range(3):
            await Hand(tmp_path / "run/workers", f"frail{number}").claim()  # and is never heard of again
        return await task

    outcome = asyncio.run(measured())
    assert outcome.failure is FailureKind.CRASHED
    assert outcome.message == (
        "expected a result, found that 3 workers in turn did not give one; the last vanished"
    )


def test_machines_that_cannot_measure_are_no_failure_of_a_program(
    executor: WorkersExecutor, tmp_path: Path
) -> None:
    async def measured() -> Outcome:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        for number in range(3):
            hand = Hand(tmp_path / "run/workers", f"full{number}")
            order = await hand.claim()
            hand.leave(order, json.dumps(hand.result(order, interrupted="no space left")))
        return await task

    with pytest.raises(RunInterrupted, match="there: no space left"):
        asyncio.run(measured())


def test_what_an_earlier_session_left_is_taken_up(executor: WorkersExecutor, tmp_path: Path) -> None:
    """Also where the driver was killed after it took a result and before it wrote its journal."""
    started: list[int] = []

    async def begin() -> Order:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        hand = Hand(tmp_path / "run/workers", "hand")
        order = await hand.claim()
        hand.leave(order, json.dumps(hand.result(order)))
        await task
        return order

    order = asyncio.run(begin())
    assert (tmp_path / f"run/workers/taken/{order.id}").exists()
    site = Site(EvaluatorConfig(), tmp_path / "evaluator.py", tmp_path / "run", resumed=True)
    later = WorkersExecutor(site, WorkersExecutor.Settings(lease=1))
    try:
        outcome = asyncio.run(later.evaluate(program(ONE), None, lambda: started.append(1)))
    finally:
        later.close()
    assert outcome.metrics == {"score": 1.0}
    assert started == [1]


def test_no_key_is_in_what_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "planted")
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    site = Site(EvaluatorConfig(pass_environment=["HF_TOKEN"]), tmp_path / "evaluator.py", tmp_path / "run")
    executor = WorkersExecutor(site, WorkersExecutor.Settings(lease=1))

    async def put() -> None:
        task = asyncio.create_task(executor.evaluate(program(ONE)))
        await asyncio.sleep(0.1)
        for path in (tmp_path / "run/workers").rglob("*"):
            assert not path.is_file() or "planted" not in path.read_text()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(put())
    executor.close()
    assert (tmp_path / "run/workers").stat().st_mode & 0o077 == 0
