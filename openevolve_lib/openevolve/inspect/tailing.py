"""Events of a journal as lines, the last ones and those to come; and the last lines of a log."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.clean import one_line, shown
from openevolve.inspect.reading import is_written
from openevolve.records.request import Request
from openevolve.state.journal import Event, Tail

_POLL = 0.5  # seconds


def tail(journal: Path, count: int, *, follow: bool) -> Iterator[str]:
    """The last ``count`` events as lines; with ``follow`` also what comes, for as long as a run writes.

    Raises UserError for a damaged journal.
    """
    source = Tail(journal)
    source.skip_to_last(count)
    yield from map(line, source.read())
    while follow:
        written = is_written(journal)  # asked first: what is appended after that is read below
        yield from map(line, source.read())
        if not written:
            return
        time.sleep(_POLL)


def line(event: Event) -> str:
    """When, what, and the gist of it."""
    gist = _GISTS.get(event["event"])
    words = gist(event) if gist else ""
    return one_line(f"{event['elapsed']:>10.1f} s  {event['event']:<15} {words}", 200)


def _measured(event: Event) -> str:
    outcome: Mapping[str, Any] = event["outcome"]
    if outcome["failure"]:
        return f"{event['iteration']}: {outcome['failure']}: {outcome['message']}"
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in list(shown(outcome["metrics"]).items())[:4])
    return f"{event['iteration']}: {'stopped on a lower rung: ' if outcome['rung'] else ''}{metrics}"


def _copied(event: Event) -> str:
    same = event["duplicate_of"]
    return f"{event['iteration']}" + (f": the same as {same}" if same is not None else "")


_GISTS: dict[str, Callable[[Event], str]] = {
    "selected": lambda event: (
        f"{event['choice']['iteration']}: parent {event['choice']['parent'][:8]}, {event['choice']['rule']}"
    ),
    "replied": lambda event: f"{event['iteration']}: {event['purpose']}, {event['model']}",
    "refused": lambda event: f"{event['iteration']}: {event['gate']}: {event['reason']}",
    "proposed": lambda event: f"{event['program']['iteration']}: {event['program']['changes']}",
    "measuring": lambda event: f"{event['iteration']}",
    "judged": lambda event: (
        f"{event['iteration']}: rung {event['decision']['rung']}, {event['decision']['verdict']}"
    ),
    "measured": _measured,
    "committed": _copied,
    "reviewed": lambda event: f"{event['iteration']}: {event['text']}",
    "idea": lambda event: f"{event['idea']['source']}: {event['idea']['description']}",
    "asked": lambda event: f"{Request.from_json(event['request'])}",
    "offered": lambda event: ", ".join(unit["name"] for unit in event["units"]),
    "reconsidered": lambda event: ", ".join(f"{name[:8]}, {unit}" for name, unit, _ in event["looks"]),
    "final_begun": lambda event: f"{len(event['final']['candidates'])} finalists",
    "looked": lambda event: (
        f"{'asked: ' if event.get('asked') else ''}{event['program_id'][:8]}, {event['unit']}: "
        + (event["failure"] or f"{event['measurement']['value']:.4g}")
    ),
    "run_finished": lambda event: f"{event['reason']}",
}


def last_log(folder: Path, journal: Path, count: int) -> list[str]:
    """The last lines of the latest log of a run. Raises UserError where there is none."""
    logs = sorted(
        (path for place in {folder, journal.parent} for path in (place / "logs").glob("*.log")),
        key=lambda path: path.stat().st_mtime,
    )
    if not logs:
        raise UserError(f"{journal.parent}: expected logs/*.log, found none")
    with logs[-1].open(encoding="utf-8", errors="replace") as file:
        return [one_line(text, 2000) for text in deque(file, maxlen=count)]
