"""Ideas that a person gives a run: lines of a file beside its journal, which the run takes in.

The journal has one writer. Whoever has an idea appends it here, also while the run goes on or after its end;
the run takes new lines in when it next chooses, or when it is resumed.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from openevolve.errors import UserError
from openevolve.records.idea import PERSON, Idea

NAME = "ideas.jsonl"


def put(folder: Path, idea: Idea) -> None:
    """Append an idea to the inbox of the run whose journal lies in ``folder``. Raises UserError."""
    line = json.dumps(idea.to_json(), ensure_ascii=True) + "\n"
    try:
        descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())  # one write: lines of two writers do not mix
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{folder / NAME}: expected a file that can be written, found: {error}") from None


def persons_idea(text: str, priority: float) -> Idea:
    """Raises UserError for an idea without words, or a priority out of range."""
    words = " ".join(text.split())
    if not words or not 0 <= priority <= 1:
        found = f"priority {priority:g}" if words else "an empty text"
        raise UserError(f"expected an idea in words, with a priority of 0 to 1, found {found}")
    return Idea("person", words, priority=priority, source=PERSON)


def unread(folder: Path, read: int) -> Iterator[tuple[int, Idea]]:
    """Whole lines after the first ``read`` that hold an idea, with their numbers; others are passed over."""
    path = folder / NAME
    if not path.is_file():
        return
    content = path.read_bytes()
    lines = content.split(b"\n")[:-1]  # what follows the last line end is not written yet
    for number, line in enumerate(lines[read:], start=read + 1):
        try:
            yield number, Idea.from_json(json.loads(line))
        except (ValueError, TypeError, AttributeError):
            continue
