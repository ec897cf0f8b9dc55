"""Evaluations for tests: programs that say themselves what their evaluator returns."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

from openevolve.evaluating.channel import Decide
from openevolve.evaluating.local import LocalExecutor
from openevolve.records.program import Outcome, Program
from openevolve.settings.models import EvaluatorConfig

EVALUATOR = """
import runpy

def evaluate(program_path):
    return runpy.run_path(program_path)["result"]()
"""


@contextmanager
def executor_for(folder: Path, evaluator: str = EVALUATOR, **settings: Any) -> Iterator[LocalExecutor]:
    """An executor that calls an evaluator with this text."""
    path = folder / "evaluator.py"
    path.write_text(evaluator)
    executor = LocalExecutor(EvaluatorConfig(**{"timeout": 20, **settings}), path)
    try:
        yield executor
    finally:
        executor.close()


def program(body: str) -> Program:
    """A program whose ``result()`` has this body."""
    return Program("program", f"def result():\n{indent(body, '    ')}\n", iteration=1, island=0)


def run(executor: LocalExecutor, *bodies: str, decide: Decide | None = None) -> list[Outcome]:
    """Evaluate programs with these bodies, one after the other."""
    return [asyncio.run(executor.evaluate(program(body), decide)) for body in bodies]
