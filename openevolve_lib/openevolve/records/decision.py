"""Decisions between the rungs of an evaluation, as the journal keeps them."""

from dataclasses import dataclass
from enum import StrEnum

from openevolve.records.program import Record


class Verdict(StrEnum):
    PROMOTED = "promoted"
    REJECTED = "rejected"
    AUDITED = "audited"  # the rule rejects it, and it goes on all the same to test the rule


@dataclass(frozen=True)
class Decision(Record):
    """One application of the rule, with all that it rested on."""

    rung: int
    score: float
    verdict: Verdict
    full: int  # evaluations in full that the rule had learned from
    better: int  # earlier programs that scored higher on this rung...
    seen: int  # ...of so many
    predicted: float | None = None  # the final score; None: too little is known to say
    margin: float | None = None
    to_beat: float | None = None  # what the prediction has to reach; None: too little is known to say
    elite: bool = False  # whether that is the fitness of its cell's elite; else the cell is empty or unknown

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", Verdict(self.verdict))

    @property
    def judged(self) -> bool:
        """Whether the rule had a say."""
        return self.predicted is not None

    def explanation(self) -> str:
        """Expected and found, in one line."""
        if self.predicted is None or self.margin is None:
            return f"too little is known to judge by rung {self.rung}"
        beaten = "the elite of its cell has" if self.elite else "of a program in an empty cell is expected"
        return (
            f"scored {self.score:.4g} on rung {self.rung}, lower than {self.better} of {self.seen} programs; "
            f"at most {self.predicted + self.margin:.4g} is expected in full"
            # A journal of the first version with rungs has nothing to beat in an empty cell.
            + ("" if self.to_beat is None else f"; {beaten} {self.to_beat:.4g}")
        )
