"""A part of a run's report."""

from openevolve.inspect.facts import facts
from openevolve.inspect.reading import Run

_SHOWN = 3


def slowest(run: Run) -> str:
    """The programs whose evaluation took longest, a line each."""
    rows = [row for row in facts(run) if row["seconds"] is not None]
    rows = sorted(rows, key=lambda row: -row["seconds"])[:_SHOWN]
    return "\n".join(
        f"iteration {row['iteration']}: {row['seconds']:.1f} s, {row['changes']}" for row in rows
    )
