"""What is kept of a run for the next reader: the fold, and the answers to most questions."""

from collections.abc import Iterator
from typing import Any

from openevolve.inspect import snapshot
from openevolve.inspect.comparing import settings_of
from openevolve.inspect.database import replies_of
from openevolve.inspect.decisions import decisions
from openevolve.inspect.facts import facts, outline
from openevolve.inspect.folding import SECTION
from openevolve.inspect.ideas import ideas
from openevolve.inspect.importance import importance
from openevolve.inspect.questions import cells, cost, failures, operators, status, texts_of
from openevolve.inspect.reading import Run, worked_out
from openevolve.inspect.single import details, details_section

_WORTH = 2000  # events that it took this process to read: below it is quick enough


def keep(run: Run) -> None:
    """Where reading took a while, leave the next reader what it came to; it never fails."""
    if run.folded is not None and run.folded.fresh >= _WORTH:
        snapshot.keep(run.journal, run.folded.tail.offset, run.events, _sections(run))


def _sections(run: Run) -> Iterator[tuple[str, Any]]:
    for question in (facts, outline, status, cells, failures, operators, cost, ideas, importance, decisions):
        question(run)
    worked_out(run, "settings", settings_of)
    yield SECTION, (run.state, run.account)
    yield "texts", texts_of(run)
    yield "replies", replies_of(run)
    for name, found in run.known.items():
        if name not in ("at", "texts", "replies"):
            yield name, found
    for row in facts(run):
        yield details_section(row["iteration"]), details(run, row["iteration"])
