"""What a reviewer makes of a program."""

from dataclasses import dataclass

from openevolve.records.base import Record
from openevolve.records.idea import Idea


@dataclass(frozen=True)
class Review(Record):
    """``text`` is shown with the program from now on; empty where there is nothing to say."""

    text: str = ""
    model: str = ""
    problem: str = ""  # why there is no text
    belief: str = ""  # what is taken to hold from now on; later prompts show it
    ideas: tuple[Idea, ...] = ()  # they are queued
    rewrites: bool = False  # the belief takes the place of all before it

    def __post_init__(self) -> None:
        ideas = (idea if isinstance(idea, Idea) else Idea.from_json(idea) for idea in self.ideas)
        object.__setattr__(self, "ideas", tuple(ideas))
