"""Runs of the tiny problem in processes of their own, to be killed and interrupted."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openevolve.state.journal import read_journal
from tests import PROJECT

SCRIPT = """
import sys
from pathlib import Path
from tests.support.processes import processes_of
from tests.support.scripted import RandomWalk, run_walk, settings
result = run_walk(Path(sys.argv[1]), settings(*sys.argv[2:]), RandomWalk(delay=0.02))
print(result.reason)
"""


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *overrides],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(folder: Path, *overrides: str) -> Path:
    """The folder of a run that has ended. In a process of its own: beside a browser no other loop can run."""
    with start(folder, *overrides) as process:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    return folder / "out"


def wait_for_lines(path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def wait_for_events(
    journal: Path,
    name: str,
    count: int,
    seconds: float = 60,
    having: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> None:
    wait_for_lines(journal, 1)
    deadline = time.monotonic() + seconds
    while sum(event["event"] == name and having(event) for event in read_journal(journal)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


HANGING = """
from openevolve.records.program import Proposal
class Hanging(RandomWalk):
    async def propose(self, context, desk):
        hangs = context.iteration in HANG
        code = f"X = {96 + context.iteration}\\n"
        return Proposal(code=code, proposer="walk") if hangs else await super().propose(context, desk)
"""


def start_hanging(folder: Path, iterations: str, *overrides: str) -> subprocess.Popen[str]:
    """A run in which the programs of some iterations never come back."""
    script = SCRIPT.replace("result =", f"HANG = {iterations}{HANGING}result =")
    return subprocess.Popen(
        [sys.executable, "-c", script.replace("RandomWalk(delay", "Hanging(delay"), str(folder), *overrides],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def start_slow(folder: Path) -> subprocess.Popen[str]:
    """A run whose initial program hangs in evaluation for a minute."""
    script = SCRIPT.replace(
        "result =",
        "import tests.support.scripted as s; s.INITIAL = 'X = 96.0\\n'\nresult =",
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder), "evaluator.timeout=60"],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
