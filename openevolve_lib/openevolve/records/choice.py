"""What a parent strategy decided for one iteration, as the journal keeps it."""

from dataclasses import dataclass

from openevolve.records.program import Record


@dataclass(frozen=True)
class Choice(Record):
    """The programs of an iteration's prompt, by their ids, and how the parent was drawn.

    ``rule`` names the branch of the strategy that drew the parent, ``draw`` is the number in [0, 1) that
    picked the branch, where one did.
    """

    iteration: int
    island: int
    parent: str
    top: tuple[str, ...] = ()
    inspirations: tuple[str, ...] = ()
    failures: tuple[int, ...] = ()  # iterations of failed children, latest first
    strategy: str = ""
    rule: str = ""
    draw: float | None = None
    idea: str = ""  # the key of a queued idea that is tried
    operator: str = ""  # how the child is asked for, where the strategy says so

    def __post_init__(self) -> None:
        for name in ("top", "inspirations", "failures"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
