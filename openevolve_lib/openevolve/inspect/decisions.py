"""Every decision of a run with its reason: drawn, refused, judged, kept, set aside."""

from collections.abc import Iterator
from typing import Any

from openevolve.inspect.facts import facts, iteration_of, status_of
from openevolve.inspect.reading import Run, worked_out

Answer = dict[str, Any]


def decisions(run: Run, name: str | None = None, last: int | None = None) -> list[Answer]:
    """By iteration, the latest ``last`` iterations of all, or those of one program. Raises UserError.

    Each has ``iteration``, ``kind`` (drawn, refused, promoted, rejected, audited, kept, set aside, copy or
    failed) and ``why``.
    """
    made = worked_out(run, "decisions", _decisions)
    if name is not None:
        iteration = iteration_of(run, name)
        return [decision for decision in made if decision["iteration"] == iteration]
    if last is None:
        return made
    iterations = {row["iteration"] for row in facts(run)[-last:]} if last > 0 else set()
    return [decision for decision in made if decision["iteration"] in iterations]


def _decisions(run: Run) -> list[Answer]:
    return [
        {"iteration": iteration, "kind": kind, "why": why}
        for iteration in sorted(run.state.programs)
        for kind, why in _of(run, iteration)
    ]


def _of(run: Run, iteration: int) -> Iterator[tuple[str, str]]:
    state, account = run.state, run.account
    choice = state.choices.get(iteration)
    if choice is not None:
        parent = state.iterations.get(choice.parent)
        draw = "" if choice.draw is None else f" (draw {choice.draw:.3f})"
        yield "drawn", f"{choice.strategy}: {choice.rule}{draw}: parent is iteration {parent}"
    for gate, reason in account.refusals.get(iteration, ()):
        yield "refused", f"{gate}: {reason}"
    for rung, decision in sorted(state.decisions.get(iteration, {}).items()):
        yield decision.verdict.value, f"rung {rung}: {decision.explanation()}"
    outcome = state.outcomes.get(iteration)
    status = status_of(run, iteration)
    if status == "failed" and outcome is not None and outcome.failure is not None:
        yield "failed", f"{outcome.failure.value}: {outcome.message}"
    elif status == "duplicate":
        yield "copy", f"the same program as iteration {account.duplicates[iteration]}"
    elif iteration in account.placings:
        took, why = placed(run, iteration)
        yield "kept" if took else "set aside", why


def placed(run: Run, iteration: int) -> tuple[bool, str]:
    """Whether a program took the cell that it belongs to, and from whom or why not."""
    placing = run.account.placings[iteration]
    cell = "cell " + " · ".join(map(str, placing.cell))
    if placing.holder != run.state.programs[iteration].id:
        return False, f"{cell} stays with iteration {run.state.iterations[placing.holder]}, which is better"
    if placing.before is None:
        return True, f"took {cell}, which was empty"
    return True, f"took {cell} from iteration {run.state.iterations[placing.before]}"
