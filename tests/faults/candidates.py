"""Searches whose candidates fail in every manner there is, mixed with sound ones."""

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from openevolve.commands.display import PlainDisplay
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, FailureKind, Proposal
from openevolve.settings.files import load_config
from openevolve.settings.models import Config

EVALUATOR = """
import runpy

def evaluate(program_path):
    return runpy.run_path(program_path)["result"]()
"""

K = FailureKind

# The body of result(), and the kinds of failure that may be found in it.
FAULTY: dict[str, tuple[str, set[FailureKind]]] = {
    "raises": ("raise ArithmeticError('two')", {K.CRASHED}),
    "does not import": ("import no_such_module", {K.IMPORT_ERROR}),
    "exits": ("import sys\nsys.exit(0)", {K.CRASHED}),
    "leaves at once": ("import os\nos._exit(0)", {K.CRASHED}),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", {K.CRASHED}),
    "overflows the stack": (
        "def f(): f()\nimport sys\nsys.setrecursionlimit(10**9)\nf()",
        {K.CRASHED, K.OUT_OF_MEMORY},
    ),
    "killed": ("import os\nos.kill(os.getpid(), 9)", {K.CRASHED}),
    "terminated": ("import os, time\nos.kill(os.getpid(), 15)\ntime.sleep(60)", {K.CRASHED}),
    "aborts": ("import os\nos.abort()", {K.CRASHED}),
    "hangs": ("import time\ntime.sleep(1000)", {K.TIMEOUT}),
    "hangs, deaf to signals": (
        "import signal\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
        {K.TIMEOUT},
    ),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", {K.TIMEOUT}),
    "out of memory, slowly": (
        "import time\nhoard = []\nwhile True:\n    hoard.append(b'x' * 10**7)\n    time.sleep(0.01)",
        {K.OUT_OF_MEMORY},
    ),
    "out of memory, at once": ("hoard = b'x' * 10**9\nimport time\ntime.sleep(60)", {K.OUT_OF_MEMORY}),
    "memory error": ("raise MemoryError", {K.OUT_OF_MEMORY}),
    "not a number": ("return {'score': float('nan'), 'size': 0.5}", {K.DIVERGED}),
    "no metrics": ("return 3", {K.CRASHED}),
    "a metric is missing": ("return {'score': 1}", {K.CRASHED}),
    "garbage in place of a result": ("import os\nos.write(3, b'[' * 10**5)\nos._exit(0)", {K.CRASHED}),
    "a result without end": ("import os\nwhile True: os.write(3, b' ' * 65536)", {K.CRASHED, K.TIMEOUT}),
    "prints without end": ("for _ in range(10**5): print('x' * 100)\nraise ValueError", {K.CRASHED}),
    "daemon left behind": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nraise ValueError",
        {K.CRASHED},
    ),
    "kills what started it": (
        "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)",
        {K.CRASHED, K.TIMEOUT, K.FORBIDDEN},
    ),
}


class Mixture:
    """Proposes ``total`` programs, of which ``faulty`` fail: every manner in turn, in random order."""

    def __init__(self, total: int, faulty: int, seed: int) -> None:
        manners = list(itertools.islice(itertools.cycle(FAULTY), faulty))
        self.order: list[str | None] = [*manners, *[None] * (total - faulty)]
        random.Random(seed).shuffle(self.order)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        await asyncio.sleep(0)
        manner = self.order[context.iteration - 1]
        number = context.iteration
        body = FAULTY[manner][0] if manner else f"return {{'score': {number}, 'size': {number % 10 / 10}}}"
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        code = f"NUMBER = {number}\n\ndef result():\n{lines}"
        return Proposal(code=code, proposer="mixture", changes=manner or "sound")


@dataclass(frozen=True)
class Account:
    """What became of every candidate."""

    result: Result
    wrong: tuple[str, ...]  # candidates without an outcome, or with another than their manner explains
    kinds: Counter[str]


def search(folder: Path, total: int, faulty: int, seed: int, *overrides: str) -> Account:
    """Evaluate the mixture on four slots."""
    initial, evaluator = folder / "initial.py", folder / "evaluator.py"
    initial.write_text("def result():\n    return {'score': 0.0, 'size': 0.0}\n")
    evaluator.write_text(EVALUATOR)
    mixture = Mixture(total, faulty, seed)
    run = Plan(settings(total, *overrides), initial, evaluator, folder / "out", proposer=mixture)
    result = execute(run, PlainDisplay())
    outcomes = result.state.outcomes
    wrong = []
    for iteration, manner in enumerate(mixture.order, start=1):
        outcome = outcomes.get(iteration)
        if outcome is None or (outcome.failure not in FAULTY[manner][1] if manner else outcome.failure):
            found = outcome and (outcome.failure, outcome.message)
            wrong.append(f"{iteration}, {manner or 'sound'}: {found}")
    kinds = Counter(outcome.failure or "evaluated" for outcome in outcomes.values())
    return Account(result, tuple(wrong), Counter({str(kind): count for kind, count in kinds.items()}))


def settings(total: int, *overrides: str) -> Config:
    return load_config(
        None,
        [
            f"max_iterations={total}", "features={size: {low: 0, high: 1, count: 5}}",
            "database.fitness_metric=score", "database.num_islands=2",
            "evaluator.parallel_evaluations=4", "evaluator.timeout=5", "evaluator.memory_limit_mb=200",
            "evaluator.max_retries=0", "evaluator.isolation=process", *overrides,
        ],
    )  # fmt: skip
