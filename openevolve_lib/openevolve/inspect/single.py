"""Questions about one program."""

import difflib
from collections.abc import Mapping
from math import hypot
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.clean import shown
from openevolve.inspect.decisions import placed
from openevolve.inspect.facts import Fact, facts, iteration_of
from openevolve.inspect.parts import curves
from openevolve.inspect.reading import Run


def show(run: Run, name: str) -> Fact:
    """All that is known of a program: facts, code, why it was made, the conversation, the outcome."""
    iteration = iteration_of(run, name)
    row = next(row for row in facts(run) if row["iteration"] == iteration)
    return row | details(run, iteration)


def details_section(iteration: int) -> str:
    """Of a snapshot."""
    return f"program {iteration}"


def details(run: Run, iteration: int) -> dict[str, Any]:
    """What the lines of facts do not hold. Held-out measurements stay out."""
    if run.kept is not None and (name := details_section(iteration)) in run.kept:
        kept: dict[str, Any] = run.kept[name]
        return kept
    state, account = run.state, run.account
    program, outcome = state.programs[iteration], state.outcomes.get(iteration)
    choice, refusals = state.choices.get(iteration), account.refusals.get(iteration, ())
    return {
        "code": program.code,
        "choice": None if choice is None else choice.to_json(),
        "refusals": [{"gate": gate, "reason": reason} for gate, reason in refusals],
        "decisions": [
            {"rung": rung, "verdict": decision.verdict.value, "why": decision.explanation()}
            for rung, decision in sorted(state.decisions.get(iteration, {}).items())
        ],
        "conversation": [
            {
                "purpose": reply.purpose,
                "messages": [dict(message) for message in reply.messages],
                "text": reply.text,
                "model": reply.model,
                "problem": reply.problem,
                "tokens": reply.usage.tokens,
                "dollars": reply.usage.cost,
            }
            for reply in account.replies.get(iteration, ())
        ],
        "artifacts": shown(outcome.artifacts) if outcome else {},
        "curves": curves(shown(outcome.artifacts)) if outcome else [],
        "archive": placed(run, iteration)[1] if iteration in account.placings else "",
        "output": outcome.output_tail if outcome else "",
        "device": outcome.device if outcome else "",
        "review": state.reviews.get(iteration, ""),
    }  # fmt: skip


def context(run: Run, name: str) -> dict[str, Any]:
    """What the proposal of an iteration was made from. Raises UserError for the initial program."""
    iteration = iteration_of(run, name)
    found = details(run, iteration)
    choice = found["choice"]
    if choice is None:
        raise UserError(f"{name}: expected a program that was proposed, found the initial one")
    rows = {row["id"]: row for row in facts(run)}
    by_iteration = {row["iteration"]: row for row in rows.values()}
    proposals = [reply for reply in found["conversation"] if reply["purpose"] == "proposal"]
    return {
        "iteration": iteration,
        **{part: choice[part] for part in ("strategy", "rule", "draw", "island")},
        "parent": rows.get(choice["parent"]),
        "top": [rows[each] for each in choice["top"]],
        "inspirations": [rows[each] for each in choice["inspirations"]],
        "failures": [by_iteration[each] for each in choice["failures"]],
        "prompt": proposals[0]["messages"] if proposals else [],
    }


def diff(run: Run, name: str, other: str | None = None) -> dict[str, Any]:
    """From the first parent, or from ``name``, to the program: a unified diff.

    The initial program comes from nothing.
    """
    target = iteration_of(run, other if other is not None else name)
    if other is not None:
        source: int | None = iteration_of(run, name)
    else:
        rows = {row["id"]: row for row in facts(run)}
        parents = next(row["parents"] for row in rows.values() if row["iteration"] == target)
        source = rows[parents[0]]["iteration"] if parents else None
    before = details(run, source)["code"] if source is not None else ""
    lines = difflib.unified_diff(
        before.splitlines(),
        details(run, target)["code"].splitlines(),
        "nothing" if source is None else _label(run, source),
        _label(run, target),
        lineterm="",
    )
    return {"from": source, "to": target, "diff": "\n".join(lines)}


def _label(run: Run, iteration: int) -> str:
    found = next(row["id"] for row in facts(run) if row["iteration"] == iteration)
    return f"iteration {iteration} ({found[:8]})"


def lineage(run: Run, name: str) -> list[dict[str, Any]]:
    """The way from the initial program: each step's change, its gain and the error of that."""
    by_id = {row["id"]: row for row in facts(run)}
    iteration = iteration_of(run, name)
    row: Mapping[str, Any] | None = next(row for row in by_id.values() if row["iteration"] == iteration)
    steps: list[dict[str, Any]] = []
    while row is not None:
        parent = by_id.get(row["parents"][0]) if row["parents"] else None
        names = ("id", "iteration", "status", "fitness", "error", "changes", "proposer", "model", "message")
        steps.append({name: row[name] for name in names} | _gain(row, parent))
        row = parent
    return steps[::-1]


def _gain(row: Mapping[str, Any], parent: Mapping[str, Any] | None) -> dict[str, Any]:
    """Errors are taken as independent, which for programs measured on the same images is too wide."""
    if parent is None or row["fitness"] is None or parent["fitness"] is None:
        return {"gain": None, "gain_error": None}
    both = row["error"] is not None and parent["error"] is not None
    return {
        "gain": row["fitness"] - parent["fitness"],
        "gain_error": hypot(row["error"], parent["error"]) if both else None,
    }
