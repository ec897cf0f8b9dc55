"""What an evaluation says of itself while it lasts, and what a program may make of that."""

import asyncio
import io
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from openevolve.commands.display import LiveDisplay, PlainDisplay
from openevolve.commands.under_way import UnderWay
from openevolve.engine.run import execute
from openevolve.evaluating import progress
from openevolve.evaluating.channel import Conversation
from openevolve.evaluating.local import LocalExecutor
from openevolve.records.program import FailureKind, Outcome, Program, Rung
from openevolve.records.progress import Progress
from tests.support.evaluations import executor_for
from tests.support.scripted import EVALUATOR, make_run, settings

TELLING = """
import time
from openevolve.evaluating.progress import tell

def evaluate(program_path):
    for step in range(4):
        tell(f"step {step}", share=step / 4)
        time.sleep(0.6)
    return {"combined_score": 1.0}
"""


def heard(executor: LocalExecutor, code: str = "") -> tuple[Outcome, list[Progress]]:
    found: list[Progress] = []
    executor.told = lambda _, told: found.append(told)
    return asyncio.run(executor.evaluate(Program("program", code, 0, 0))), found


def test_what_is_told_is_heard_while_it_lasts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        outcome, found = heard(stack.enter_context(executor_for(tmp_path, TELLING)))
    assert outcome.metrics == {"combined_score": 1.0}
    assert found == [Progress(f"step {step}", step / 4) for step in range(4)]


def test_too_fast_is_dropped_and_outside_nobody_listens(tmp_path: Path) -> None:
    progress.tell("nobody", share=2.0)
    quick = TELLING.replace("time.sleep(0.6)", "[tell('more') for _ in range(10_000)]")
    with ExitStack() as stack:
        outcome, found = heard(stack.enter_context(executor_for(tmp_path, quick)))
    assert outcome.metrics == {"combined_score": 1.0}
    assert 1 <= len(found) <= 5


RUNG = b'{"rung": 1, "metrics": {"a": 1.0}, "artifacts": {}}\n'
TOLD = b'{"progress":{"what":"x","share":0.5}}\n'
MADE_UP = b'{"progress":{"what":"x","share":7}}\n'


@given(
    st.lists(st.sampled_from([RUNG, TOLD, MADE_UP]), max_size=6),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_however_the_bytes_arrive_rungs_and_the_last_message_are_the_same(
    lines: list[bytes], cuts: list[int]
) -> None:
    rungs = 0
    sent = b""
    for line in lines:
        if line == RUNG:
            rungs += 1
            line = line.replace(b": 1,", f": {rungs},".encode(), 1)
        sent += line
    sent += b'{"metrics": {}}'

    async def talk() -> tuple[list[Rung], bytes, int]:
        ours, theirs = socket.socketpair()
        found: list[Rung] = []
        told: list[Progress] = []
        conversation = Conversation(ours, told.append)

        async def speak() -> None:
            position = 0
            for cut in [*cuts, len(sent)]:
                theirs.sendall(sent[position : position + cut])
                position += cut
                await asyncio.sleep(0)
            theirs.shutdown(socket.SHUT_WR)

        def decide(rung: Rung) -> bool:
            found.append(rung)
            return True

        with ours, theirs:
            speaking = asyncio.create_task(speak())
            await conversation.climb(decide)
            last = await conversation.last()
            await speaking
        return found, last, len(told)

    found, last, count = asyncio.run(talk())
    assert [rung.number for rung in found] == list(range(1, rungs + 1))
    assert last == b'{"metrics": {}}'
    assert count == lines.count(TOLD)


def test_a_program_that_floods_the_channel_is_cut_short(tmp_path: Path) -> None:
    flood = EVALUATOR.replace("    space = {}", f"    while True: os.write(3, {TOLD!r} * 100)")
    with ExitStack() as stack:
        outcome, found = heard(stack.enter_context(executor_for(tmp_path, flood)))
    assert outcome.failure is FailureKind.CRASHED
    assert set(found) == {Progress("x", 0.5)}


def test_the_plain_display_says_so_before_the_first_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, settings("max_iterations=1", "evaluator.timeout=30"))
    run.evaluator.write_text(TELLING.replace("1.0}", "1.0, 'size': 0.5}"))
    execute(run, PlainDisplay())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert re.fullmatch(r"\[0/1\] step 0; \d s so far", lines[0])
    assert lines[1].startswith("[0/1] combined_score")  # another one within half a minute would be too much


def test_the_live_display_has_a_line_for_each_evaluation(tmp_path: Path) -> None:
    run = make_run(tmp_path, settings("max_iterations=1", "evaluator.timeout=30"))
    run.evaluator.write_text(
        TELLING.replace("1.0}", "1.0, 'size': 0.5}").replace("step {step}", "\\x1b[2J{step}")
    )
    screen = io.StringIO()
    display = LiveDisplay(Console(file=screen, force_terminal=True, width=120))
    execute(run, display)
    display.close()
    text = screen.getvalue()
    assert re.search(r"evaluating 0.*3; 2 s so far, about 1 s left", text)
    assert "\x1b[2J" not in text


def test_time_left_is_what_the_pace_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("openevolve.commands.under_way.time.monotonic", lambda: now)
    under_way = UnderWay()
    under_way.told(3, Progress("a", 0.0))
    now = 60.0
    assert under_way.line(3) == "a; 1 min 00 s so far"
    under_way.told(3, Progress("b", 0.25))
    assert list(under_way.lines()) == [(3, "b; 1 min 00 s so far, about 3 min 00 s left")]
