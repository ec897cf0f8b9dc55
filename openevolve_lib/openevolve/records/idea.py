"""Ideas for changes that a reviewer or a person has, as the journal keeps them."""

import hashlib
from dataclasses import dataclass

from openevolve.records.base import Record

PERSON = "person"


@dataclass(frozen=True)
class Idea(Record):
    """A change that is worth trying; higher priorities are tried first."""

    type: str  # such as refine, shrink, explore, fix
    description: str
    benefit: str = ""  # what it is expected to bring
    priority: float = 0.5
    source: str = ""  # who had it: a reviewer's name, or "person"
    parent: str = ""  # the program that it is about; empty: any

    @property
    def key(self) -> str:
        """Equal for ideas of one source and type whose words are the same."""
        words = " ".join(self.description.lower().split())
        return hashlib.sha256(f"{self.source}\n{self.type}\n{words}".encode()).hexdigest()[:16]
