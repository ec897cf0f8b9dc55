"""Where programs are measured: the protocol that every executor keeps."""

from collections.abc import Callable
from typing import Protocol

from openevolve.evaluating.channel import Decide
from openevolve.records.program import Outcome, Program


def unheard() -> None:
    """Nobody wants to know."""


class Executor(Protocol):
    """Evaluates programs somewhere. Cancelling ``evaluate`` ends the evaluation."""

    slots: int

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        """Wait for a free slot, call ``started``, evaluate, and return an outcome whatever the program did.

        With ``decide`` the evaluator's ``evaluate_rungs`` is called: after each rung it is asked
        whether to go on, and where not, the outcome is the rung's. It may raise EvaluationFailed.

        Raises RunInterrupted where nothing can be evaluated: a full disk, data that is gone.
        """
        ...

    def close(self) -> None: ...
