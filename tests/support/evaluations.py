"""Evaluations for tests: programs that say themselves what their evaluator returns."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openevolve.evaluating.channel import Decide
from openevolve.evaluating.local import LocalExecutor
from openevolve.records.program import Outcome
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import EVALUATOR, program


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


def run(executor: LocalExecutor, *bodies: str, decide: Decide | None = None) -> list[Outcome]:
    """Evaluate programs with these bodies, one after the other."""
    return [asyncio.run(executor.evaluate(program(body), decide)) for body in bodies]
