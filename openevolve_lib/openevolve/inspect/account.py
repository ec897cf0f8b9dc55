"""What a journal tells beyond the state: who proposed, what was asked and answered, when, what was refused.

A run itself lets these go once they are used. A reader folds them from the same events, beside the state.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openevolve.records.program import Usage
from openevolve.state.journal import Event


@dataclass(frozen=True)
class Reply:
    """One call of a language model."""

    purpose: str  # proposal, review or grade
    messages: tuple[Mapping[str, str], ...]
    text: str | None
    model: str
    usage: Usage
    problem: str
    elapsed: float  # seconds since the run began


@dataclass
class Account:
    """By iteration, where nothing else is said. Only ``apply`` changes it."""

    proposers: dict[int, str] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)
    proposed_at: dict[int, float] = field(default_factory=dict)  # seconds since the run began
    measured_at: dict[int, float] = field(default_factory=dict)
    replies: defaultdict[int, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    refusals: defaultdict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    duplicates: dict[int, int] = field(default_factory=dict)  # of which iteration
    outages: int = 0  # failures of a provider that count against no program
    outage_usage: Usage = field(default_factory=Usage)

    def apply(self, event: Event) -> None:
        """Take in an event that the state has taken in."""
        fold = _FOLDS.get(event["event"])
        if fold is not None:
            fold(self, event)

    def spent(self, iteration: int) -> Usage:
        """What the calls of an iteration took, reviews included."""
        return sum((reply.usage for reply in self.replies.get(iteration, ())), Usage())

    def _replied(self, event: Event) -> None:
        self.replies[event["iteration"]].append(
            Reply(
                purpose=event["purpose"],
                messages=tuple(event["messages"]),
                text=event["text"],
                model=event["model"],
                usage=Usage(**event["usage"]),
                problem=event["problem"],
                elapsed=event["elapsed"],
            )
        )

    def _provider_failed(self, event: Event) -> None:
        self.outages += 1
        self.outage_usage += Usage(**event["usage"])

    def _refused(self, event: Event) -> None:
        self.refusals[event["iteration"]].append((event["gate"], event["reason"]))

    def _proposed(self, event: Event) -> None:
        iteration = event["program"]["iteration"]
        self.proposers[iteration] = event["proposer"]
        self.models[iteration] = event["model"]
        self.proposed_at[iteration] = event["elapsed"]

    def _measured(self, event: Event) -> None:
        self.measured_at[event["iteration"]] = event["elapsed"]

    def _committed(self, event: Event) -> None:
        if event["duplicate_of"] is not None:
            self.duplicates[event["iteration"]] = event["duplicate_of"]


_FOLDS: dict[str, Any] = {
    "replied": Account._replied,
    "provider_failed": Account._provider_failed,
    "refused": Account._refused,
    "proposed": Account._proposed,
    "measured": Account._measured,
    "committed": Account._committed,
}
