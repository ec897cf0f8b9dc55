"""What a reviewer makes of a program with a score."""

from dataclasses import dataclass

from openevolve.records.program import Record


@dataclass(frozen=True)
class Review(Record):
    """``text`` is shown with the program from now on; empty where there is nothing to say."""

    text: str = ""
    model: str = ""
    problem: str = ""  # why there is no text
