"""What the journal says of a run so far: resuming is starting with a history."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openevolve.errors import UserError
from openevolve.measuring.promotion import Decision, Verdict
from openevolve.proposing.edits import normalized
from openevolve.records.program import Elite, Outcome, Program, Usage
from openevolve.state.journal import Event


@dataclass
class History:
    """The fold of all events; the controller applies each event that it appends."""

    programs: dict[int, Program] = field(default_factory=dict)  # by iteration
    outcomes: dict[int, Outcome] = field(default_factory=dict)  # by iteration, in order of finishing
    problems: dict[int, str] = field(default_factory=dict)  # of proposals without code, by iteration
    reviews: dict[int, str] = field(default_factory=dict)  # by iteration
    decisions: dict[int, dict[int, Decision]] = field(default_factory=dict)  # by iteration and rung
    failures: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    evaluations: int = 0  # of programs of their own, however they ended; of these:
    full: int = 0  # have a score
    rejected: int = 0  # were stopped at a lower rung
    audits: int = 0  # went on only to test the rule that would have stopped them
    rungs: int = 0  # results that an evaluation gives, its last included; 0: none has ended yet
    elapsed: float = 0.0  # seconds of running, over all sessions
    initial_code: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # with which the run began
    finished: str | None = None  # the reason of the last run_finished event
    iterations: dict[str, int] = field(default_factory=dict)  # by program id
    _by_code: dict[str, int] = field(default_factory=dict)

    @classmethod
    def replay(cls, events: Iterable[Event]) -> "History":
        """The history of a journal. Raises UserError where an event is not one of this engine's."""
        history = cls()
        for number, event in enumerate(events, start=1):
            try:
                history.apply(event)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise UserError(
                    f"journal, line {number}: expected an event of this version of openevolve, "
                    f"found one with {type(error).__name__}: {error}. Resume with the version that wrote it."
                ) from None
        return history

    def apply(self, event: Event) -> None:
        self.elapsed = max(self.elapsed, event["elapsed"])
        match event["event"]:
            case "run_started":
                self.initial_code = event["initial_code"]
                self.settings = self.settings or event["settings"]
                self.finished = None
            case "proposed":
                self._proposed(event)
            case "judged":
                decision = Decision.from_json(event["decision"])
                self.decisions.setdefault(event["iteration"], {})[decision.rung] = decision
            case "evaluated" | "rejected" | "failed":
                self._ended(event["iteration"], Outcome.from_json(event["outcome"]), event["reused"])
            case "reviewed":
                self.reviews[event["iteration"]] = event["text"]
                self.usage += Usage(**event["usage"])
            case "run_finished":
                self.finished = event["reason"]

    def _proposed(self, event: Event) -> None:
        program = Program.from_json(event["program"])
        self.programs[program.iteration] = program
        self.iterations[program.id] = program.iteration
        self.usage += Usage(**event["usage"])
        if not program.code:
            self.problems[program.iteration] = event["problem"]

    def _ended(self, iteration: int, outcome: Outcome, reused: bool) -> None:
        self.outcomes[iteration] = outcome
        program = self.programs[iteration]
        if outcome.failure is not None:
            self.failures[outcome.failure.value] += 1
        if program.code and not reused:
            self.evaluations += 1
            self.full += outcome.evaluated
            self.rejected += outcome.rejected
            if outcome.evaluated:
                self.rungs = max(self.rungs, *self.decisions.get(iteration, {}), 0)
            self.audits += self.audited(iteration)
            code = normalized(program.code)
            self._by_code[code] = min(iteration, self._by_code.get(code, iteration))

    def audited(self, iteration: int) -> bool:
        """Whether a program was evaluated further only to test the rule that rejected it."""
        return any(d.verdict is Verdict.AUDITED for d in self.decisions.get(iteration, {}).values())

    def elite(self, iteration: int) -> Elite:
        """A program that has a score, with what a reviewer said of it among its artifacts."""
        outcome, review = self.outcomes[iteration], self.reviews.get(iteration)
        notes = {"review": review} if review else {}
        return Elite(self.programs[iteration], outcome.metrics, {**outcome.artifacts, **notes})

    def same_program(self, code: str, before: int) -> Outcome | None:
        """The outcome of a program that differs at most in comments and layout, from an iteration
        lower than ``before``, if there is one."""
        iteration = self._by_code.get(normalized(code), before) if code else before
        return self.outcomes[iteration] if iteration < before else None
