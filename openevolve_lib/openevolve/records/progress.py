"""What an evaluation says of itself while it lasts: plain data, for people to read and for nothing else."""

from dataclasses import dataclass

from openevolve.records.program import Record


@dataclass(frozen=True)
class Progress(Record):
    """In words, such as ``pathmnist: epoch 2 of 5``, and the share of the whole that is done."""

    what: str
    share: float | None = None  # 0 to 1; None: nobody knows
