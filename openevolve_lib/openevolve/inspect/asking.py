"""Asking something of a running run: the one thing that is more than reading."""

import time
from dataclasses import replace
from pathlib import Path

from openevolve.errors import UserError
from openevolve.inspect.facts import facts, iteration_of
from openevolve.inspect.reading import find_journal, is_written, read_run
from openevolve.records.request import Request, Wish
from openevolve.state.requests import LIMITS, Requests, check_request

_POLL = 0.1  # seconds


def request(what: str, setting: str = "") -> Request:
    """From words, such as ``limit`` and ``budget.dollars=5``. Raises UserError."""
    wish = Wish(what)
    if wish is Wish.MEASURE:
        made = Request(wish, setting)
        check_request(made)
        return made
    if wish is not Wish.LIMIT:
        if setting:
            raise UserError(f"{what}: expected nothing more, found {setting}")
        return Request(wish)
    key, _, value = setting.partition("=")
    try:
        made = Request(wish, key, float(value))
    except ValueError:
        raise UserError(
            f"limit: expected KEY=VALUE with one of {', '.join(LIMITS)}, found {setting or 'nothing'}"
        ) from None
    check_request(made)
    return made


def ask(run: str, wanted: Request, patience: float = 30.0) -> str:
    """Put it among the run's requests and wait until it is taken, ``patience`` seconds at most.

    Raises UserError where nobody runs it, or does not take it in time: then it is withdrawn.
    """
    return ask_of(find_journal(run), wanted, patience)


def ask_of(journal: Path, wanted: Request, patience: float = 30.0) -> str:
    """As ``ask``, of the run of a journal."""
    if not is_written(journal):
        raise UserError(f"{journal}: expected a run that is running, found no process that writes it")
    if wanted.what is Wish.MEASURE:
        wanted = replace(wanted, key=_measurable(journal, wanted.key))
    waiting = Requests(journal).put(wanted)
    deadline = time.monotonic() + patience
    while waiting.exists():
        if time.monotonic() > deadline or not is_written(journal):
            waiting.unlink(missing_ok=True)
            raise UserError(
                f"{journal}: expected the run to take {wanted} in {patience:g} s, found it did not"
            )
        time.sleep(_POLL)
    return f"{wanted}: taken"


def _measurable(journal: Path, name: str) -> str:
    """The whole id of a program with a score. Raises UserError."""
    run = read_run(str(journal))
    iteration = iteration_of(run, name)
    row = next(row for row in facts(run) if row["iteration"] == iteration)
    if row["fitness"] is None:
        raise UserError(f"{name}: expected a program with a score, found one that is {row['status']}")
    return str(row["id"])
