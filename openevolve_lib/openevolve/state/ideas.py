"""The queue of ideas: in the journal, so that a kill loses none and leaves none under way for ever.

An idea is taken when an iteration is chosen for it. The iteration goes on after a kill, and the idea with
it; one that was queued is queued again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openevolve.records.idea import Idea


@dataclass
class IdeaQueue:
    """Ideas in the order in which they came; those with equal words count once."""

    all: dict[str, Idea] = field(default_factory=dict)  # by key
    taken: dict[str, int] = field(default_factory=dict)  # by key, the iteration that tries it
    inbox: int = 0  # lines of the run's inbox that have been taken in

    def add(self, idea: Idea) -> None:
        self.all.setdefault(idea.key, idea)

    def take(self, key: str, iteration: int) -> None:
        self.taken[key] = iteration

    def queued(self) -> list[Idea]:
        """The highest priority first, then the oldest."""
        waiting = [idea for key, idea in self.all.items() if key not in self.taken]
        return sorted(waiting, key=lambda idea: -idea.priority)

    def status(self, key: str, outcomes: Mapping[int, Any]) -> str:
        """queued, running, done or failed; ``outcomes`` by iteration."""
        if key not in self.taken:
            return "queued"
        outcome = outcomes.get(self.taken[key])
        if outcome is None:
            return "running"
        return "done" if outcome.failure is None else "failed"
