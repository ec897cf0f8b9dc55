"""Evaluations in rungs: promoted, stopped, failed or cut off in real processes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openevolve.conversation import Decide
from openevolve.evaluation_result import EvaluationFailed
from openevolve.process_parallel import LocalExecutor
from openevolve.program import FailureKind, Rung
from tests.evaluations import EVALUATOR, executor_for, run
from tests.test_isolation import gone

EVALUATOR_WITH_RUNGS = f"""{EVALUATOR}

def evaluate_rungs(program_path):
    return evaluate(program_path)
"""


class Answers:
    """Promotes below a rung, and remembers what it was asked."""

    def __init__(self, stop_at: int | None = None) -> None:
        self._stop_at = stop_at
        self.asked: list[Rung] = []

    def __call__(self, rung: Rung) -> bool:
        self.asked.append(rung)
        return rung.number != self._stop_at


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    with executor_for(tmp_path_factory.mktemp("rungs"), EVALUATOR_WITH_RUNGS) as executor:
        yield executor


THREE = """
from openevolve.evaluation_result import EvaluationResult
yield {"score": 1, "text": "left out"}
yield EvaluationResult({"score": 2, "cost": 20.0}, {"note": "of the second"})
yield {"score": 3}
"""


def test_a_promoted_program_has_its_last_result(executor: LocalExecutor) -> None:
    answers = Answers()
    [outcome] = run(executor, THREE, decide=answers)
    assert (outcome.metrics, outcome.rung, outcome.evaluated, outcome.rejected) == (
        {"score": 3},
        0,
        True,
        False,
    )
    assert answers.asked[:2] == [
        Rung(1, {"score": 1}, {}), Rung(2, {"score": 2, "cost": 20}, {"note": "of the second"}),
    ]  # fmt: skip


@pytest.mark.parametrize(("stop_at", "metrics"), [(1, {"score": 1}), (2, {"score": 2, "cost": 20})])
def test_a_stopped_program_is_rejected_with_what_its_rung_found(
    executor: LocalExecutor, stop_at: int, metrics: dict[str, float]
) -> None:
    answers = Answers(stop_at)
    [outcome] = run(executor, THREE, decide=answers)
    assert (outcome.metrics, outcome.rung) == (metrics, stop_at)
    assert (outcome.evaluated, outcome.rejected, outcome.failure) == (False, True, None)
    assert [rung.number for rung in answers.asked] == list(range(1, stop_at + 1))


def test_what_a_rung_made_is_there_for_the_next(executor: LocalExecutor) -> None:
    body = "trained = [1]\nyield {'score': sum(trained)}\ntrained.append(10)\nyield {'score': sum(trained)}"
    assert run(executor, body, decide=Answers())[0].metrics == {"score": 11}


@pytest.mark.parametrize("stop_at", [None, 1])
def test_what_an_evaluation_holds_is_freed_at_its_end(
    executor: LocalExecutor, tmp_path: Path, stop_at: int | None
) -> None:
    mark = tmp_path / "freed"
    body = f"""
try:
    yield {{"score": 1}}
    yield {{"score": 2}}
finally:
    open({str(mark)!r}, "w").close()
"""
    [outcome] = run(executor, body, decide=Answers(stop_at))
    assert outcome.failure is None
    assert mark.exists()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("raise ArithmeticError('half')\nyield", "crashed", "ArithmeticError: half"),
        ("yield {'score': 1}\nraise ArithmeticError('half')", "crashed", "ArithmeticError: half"),
        ("yield {'score': 1}\nimport no_such_module", "import_error", "No module named 'no_such_module'"),
        ("yield {'score': 1}\nimport os; os._exit(3)", "crashed", "found an end by exit code 3"),
        ("import os; os._exit(3)\nyield", "crashed", "found an end by exit code 3"),
        ("yield {'score': 1}\nyield {'score': float('nan')}", "diverged", "found score = nan"),
        ("yield {'score': float('inf')}", "diverged", "found score = inf"),
        ("yield {'score': 1}\nyield 7", "crashed", "evaluate_rungs() to yield for rung 2 a mapping"),
        ("yield None", "crashed", "an EvaluationResult, found NoneType"),
        ("return\nyield", "crashed", "expected evaluate_rungs() to yield a result for each rung, found none"),
        ("return {'score': 1}", "crashed", "expected evaluate_rungs() to be a generator, found one that ret"),
        ("while True: yield {'score': 1}", "crashed", "expected at most 16 rungs, found more"),
        ("import os\nos.write(3, b'hm\\n')\nyield {}", "crashed", "a result for rung 1, found b'hm\\n'"),
        ("import os\nos.write(3, b'{\"rung\": 2, \"metrics\": {}, \"artifacts\": {}}\\n')\nyield {}",
         "crashed", "expected a result for rung 1, found one for rung 2"),
        ("import os\nyield {'score': 1}\nwhile True: os.write(3, b' ' * 65536)", "crashed",
         "expected a result of at most 16777216 bytes, found more"),
    ],
)  # fmt: skip
def test_every_way_to_fail_on_a_rung_has_its_kind(
    executor: LocalExecutor, body: str, kind: FailureKind, message: str
) -> None:
    [outcome] = run(executor, body, decide=Answers())
    assert (outcome.failure, outcome.metrics, outcome.rung) == (kind, {}, 0)
    assert message in outcome.message


def test_a_fault_while_freeing_is_a_failure(executor: LocalExecutor) -> None:
    body = "try:\n    yield {'score': 1}\nfinally:\n    raise ArithmeticError('stuck')"
    [outcome] = run(executor, body, decide=Answers(stop_at=1))
    assert (outcome.failure, outcome.rung) == (FailureKind.CRASHED, 0)
    assert "stuck" in outcome.message


def test_an_end_before_the_answer_is_read_is_a_crash(executor: LocalExecutor) -> None:
    body = (
        "import os, threading, time\n"
        "threading.Timer(0.2, os._exit, [5]).start()\nyield {'score': 1}\ntime.sleep(60)"
    )

    def late(rung: Rung) -> bool:
        time.sleep(0.6)
        return True

    [outcome] = run(executor, body, decide=late)
    assert outcome.failure is FailureKind.CRASHED
    assert "found an end by exit code 5" in outcome.message


def test_one_result_alone_is_the_full_one(executor: LocalExecutor) -> None:
    [outcome] = run(executor, "yield {'score': 1}", decide=Answers())
    assert (outcome.metrics, outcome.rung) == ({"score": 1}, 0)


def test_a_rung_that_cannot_be_judged_is_a_failure(executor: LocalExecutor) -> None:
    def refuse(rung: Rung) -> bool:
        raise EvaluationFailed(FailureKind.CRASHED, "expected a score")

    [outcome] = run(executor, THREE, decide=refuse)
    assert (outcome.failure, outcome.message) == (FailureKind.CRASHED, "expected a score")
    assert run(executor, THREE, decide=Answers())[0].evaluated


@pytest.mark.parametrize("decide", [Answers(), Answers(stop_at=1)], ids=["between rungs", "while freeing"])
def test_the_wall_clock_goes_on_over_all_rungs(tmp_path: Path, decide: Decide) -> None:
    body = f"""
import os, time
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
time.sleep(1)
try:
    yield {{"score": 1}}
finally:
    time.sleep(1000)
"""
    with executor_for(tmp_path, EVALUATOR_WITH_RUNGS, timeout=3) as executor:
        [hung] = run(executor, body, decide=decide)
        assert hung.failure is FailureKind.TIMEOUT
        assert hung.message == "expected an end within 3 s of wall clock, found none"
        assert gone(int((tmp_path / "pid").read_text()))
        assert run(executor, THREE, decide=Answers())[0].evaluated


def test_an_evaluator_without_rungs_is_told_what_is_missing(tmp_path: Path) -> None:
    with executor_for(tmp_path) as executor:
        [outcome] = run(executor, "return {'score': 1}", decide=Answers())
    assert outcome.failure is FailureKind.IMPORT_ERROR
    assert outcome.message == (
        f"{tmp_path / 'evaluator.py'}: expected a function evaluate_rungs(program_path), since the setting "
        "fidelity asks for rungs, found none; define it, or set fidelity: full"
    )


def test_without_a_decision_to_take_nothing_is_done_in_rungs(tmp_path: Path) -> None:
    evaluator = "def evaluate(path): return {'whole': 1}\ndef evaluate_rungs(path): raise ArithmeticError"
    with executor_for(tmp_path, evaluator) as executor:
        assert run(executor, "")[0].metrics == {"whole": 1}
