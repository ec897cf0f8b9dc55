"""A run as tables in memory, for questions in SQL that change nothing."""

import sqlite3
from contextlib import closing
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.facts import Fact, facts
from openevolve.inspect.questions import texts_of
from openevolve.inspect.reading import Run, worked_out

TABLES = (
    "programs(iteration, id, parent, generation, island, status, fitness, error, estimate, proposer, model, "
    "rule, changes, failure, message, seconds, proposed_at, measured_at, tokens, dollars, code)",
    "measurements(iteration, metric, value)",
    "replies(iteration, purpose, model, tokens, dollars, elapsed, problem, text)",
)
_STEPS = 50_000_000  # of SQLite's machine, a few seconds: a question without an end is one by mistake
_ALLOWED = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip


def sql(run: Run, question: str) -> list[dict[str, Any]]:
    """The rows that a SELECT gives. Raises UserError with the tables where it is none, or takes too long."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for table in TABLES:
            database.execute(f"CREATE TABLE {table}")
        database.execute("BEGIN")
        _fill(database, run, question)
        database.execute("COMMIT")
        database.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
        )
        database.set_progress_handler(lambda: 1, _STEPS)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(question)]
        except (sqlite3.Error, sqlite3.Warning) as error:
            tables = ", ".join(TABLES)
            raise UserError(f"expected a SELECT over {tables}; found: {error}") from None


def _fill(database: sqlite3.Connection, run: Run, question: str) -> None:
    """With what the question may ask for: codes and replies of a large run take a while."""
    rows = facts(run)
    if _mentions(question, "programs"):
        codes = [""] * len(rows)
        if _mentions(question, "code") or "*" in question:
            codes = [_storable(texts["code"]) for texts in worked_out(run, "texts", texts_of)]
        database.executemany(
            f"INSERT INTO programs VALUES ({', '.join('?' * 21)})",
            (_program(row, code) for row, code in zip(rows, codes, strict=True)),
        )
    if _mentions(question, "measurements"):
        database.executemany(
            "INSERT INTO measurements VALUES (?, ?, ?)",
            ((row["iteration"], name, value) for row in rows for name, value in row["metrics"].items()),
        )
    if _mentions(question, "replies"):
        replies = worked_out(run, "replies", replies_of)
        database.executemany("INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?)", replies)


def _mentions(question: str, name: str) -> bool:
    return name in question.casefold()


def replies_of(run: Run) -> list[tuple[Any, ...]]:
    """The rows of the table of replies."""
    return [
        (iteration, reply.purpose, _storable(reply.model), reply.usage.tokens, reply.usage.cost,
         reply.elapsed, _storable(reply.problem), _storable(reply.text))
        for iteration, replies in run.account.replies.items()
        for reply in replies
    ]  # fmt: skip


def _program(row: Fact, code: str) -> tuple[Any, ...]:
    names = ("generation", "island", "status", "fitness", "error", "estimate", "proposer", "model", "rule",
             "changes", "failure", "message", "seconds", "proposed_at", "measured_at")  # fmt: skip
    return (
        row["iteration"],
        row["id"],
        row["parents"][0] if row["parents"] else None,
        *(_storable(row[name]) for name in names),
        row.get("tokens", 0),
        row.get("dollars", 0.0),
        code,
    )


def _storable(value: Any) -> Any:
    """SQLite takes no lone surrogates."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
