"""The queue of ideas of a run."""

from typing import Any

from openevolve.inspect.reading import Run, worked_out
from openevolve.inspect.tables import table
from openevolve.records.idea import Idea
from openevolve.state.inbox import persons_idea, put, unread


def ideas(run: Run) -> list[dict[str, Any]]:
    """All ideas, in the order in which they are tried: those under way, queued ones, then the others.

    An idea in the inbox that the run has not taken in yet is "given".
    """
    known, inbox = worked_out(run, "ideas", _queue)
    rows = [*known, *(_row(idea, "given", None) for _, idea in unread(run.journal.parent, inbox))]
    order = ["running", "queued", "given", "done", "failed"]
    return sorted(rows, key=lambda row: (order.index(row["status"]), -row["priority"]))


def _queue(run: Run) -> tuple[list[dict[str, Any]], int]:
    """The ideas that the run has taken in, and so many lines of its inbox."""
    queue = run.state.ideas
    rows = [
        _row(idea, queue.status(key, run.state.outcomes), queue.taken.get(key))
        for key, idea in queue.all.items()
    ]
    return rows, queue.inbox


def give(run: Run, text: str, priority: float) -> list[dict[str, Any]]:
    """Put a person's idea into the run's inbox; the queue with it. Raises UserError."""
    put(run.journal.parent, persons_idea(text, priority))
    return ideas(run)


def as_text(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no ideas: reviewers have none (reflection), and nobody gave one"
    return table(
        ["status", "iteration", "priority", "from", "type", "idea"],
        (
            (row["status"], "-" if row["iteration"] is None else str(row["iteration"]),
             f"{row['priority']:.2f}", row["source"], row["type"], row["description"])
            for row in rows
        ),
        left=["status", "from", "type", "idea"],
    )  # fmt: skip


def _row(idea: Idea, status: str, iteration: int | None) -> dict[str, Any]:
    return idea.to_json() | {"status": status, "iteration": iteration}
