"""What a journal tells beyond the state: who proposed, what was asked and answered, what was refused, when.

A run itself lets these go once they are used. A reader folds them from the same events, beside the state.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openevolve.population.axes import Axis
from openevolve.population.island import Cell
from openevolve.records.program import Elite, Usage
from openevolve.state.journal import Event
from openevolve.state.state import State


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


@dataclass(frozen=True)
class Placing:
    """What became of a program with a score in the archive, as it was when it counted."""

    cell: Cell
    before: str | None  # who held the cell, by id
    holder: str  # who holds it since


@dataclass
class Account:
    """By iteration, where nothing else is said. Only ``apply`` changes it."""

    events: int = 0

    proposers: dict[int, str] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)
    proposed_at: dict[int, float] = field(default_factory=dict)  # seconds since the run began
    began_at: dict[int, float] = field(default_factory=dict)  # its measurement, the latest
    measured_at: dict[int, float] = field(default_factory=dict)
    placings: dict[int, Placing] = field(default_factory=dict)
    replies: defaultdict[int, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    refusals: defaultdict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    looks: list[tuple[str, str, float, float]] = field(default_factory=list)  # program, unit, from, to
    duplicates: dict[int, int] = field(default_factory=dict)  # of which iteration
    outages: int = 0  # failures of a provider that count against no program
    outage_usage: Usage = field(default_factory=Usage)
    _holders: dict[Cell, str] = field(default_factory=dict)
    _axes: tuple[Axis, ...] = ()  # of those cells

    def apply(self, event: Event, state: State) -> None:
        """Take in an event that the state has taken in."""
        self.events += 1
        fold = _FOLDS.get(event["event"])
        if fold is not None:
            fold(self, event)
        elif event["event"] == "committed":
            self._committed(event, state)

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

    def _measuring(self, event: Event) -> None:
        self.began_at[event["iteration"]] = event["elapsed"]

    def _measured(self, event: Event) -> None:
        self.measured_at[event["iteration"]] = event["elapsed"]

    def _looked(self, event: Event) -> None:
        measured = event["measurement"]
        if measured is not None:
            began = max(0.0, event["elapsed"] - measured["seconds"])
            self.looks.append((event["program_id"], event["unit"], began, event["elapsed"]))

    def _committed(self, event: Event, state: State) -> None:
        iteration = event["iteration"]
        if event["duplicate_of"] is not None:
            self.duplicates[iteration] = event["duplicate_of"]
            return
        program, outcome = state.programs[iteration], state.outcomes[iteration]
        if not outcome.evaluated:
            return
        if self._axes != state.population.axes:  # all have been placed anew
            self._axes = state.population.axes
            self._holders = {
                cell: key[-1] for cell, key in state.population.archive_cells.items() if key[-1] != program.id
            }
        cell = state.population.cell(Elite(program, outcome.metrics))
        holder = state.population.archive_cells[cell][-1]
        self.placings[iteration] = Placing(cell, self._holders.get(cell), holder)
        self._holders[cell] = holder


_FOLDS: dict[str, Any] = {
    "replied": Account._replied,
    "provider_failed": Account._provider_failed,
    "refused": Account._refused,
    "proposed": Account._proposed,
    "measuring": Account._measuring,
    "measured": Account._measured,
    "looked": Account._looked,
}
