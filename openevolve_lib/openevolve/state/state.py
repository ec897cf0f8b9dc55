"""A run as its journal tells it: one fold over the events, and nothing beside it.

Starting, resuming, following and reading a run are this fold over the same events. The controller applies
every event that it appends, so that what it holds and what a reader rebuilds are the same.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openevolve.errors import UserError
from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.records.choice import Choice
from openevolve.records.decision import Decision, Verdict
from openevolve.records.final import Final
from openevolve.records.idea import Idea
from openevolve.records.known import Known
from openevolve.records.measurement import Measurement, Unit
from openevolve.records.program import Context, Elite, Failure, FailureKind, Outcome, Program, Usage
from openevolve.records.request import Request, Wish
from openevolve.records.review import Review
from openevolve.settings.files import check
from openevolve.settings.models import Config, LadderConfig
from openevolve.settings.registry import find
from openevolve.state.contexts import BELIEFS, context_of
from openevolve.state.ideas import IdeaQueue
from openevolve.state.known import known
from openevolve.state.measurements import Measurements
from openevolve.state.membership import join, revalue, take_up
from openevolve.state.random import random_source
from openevolve.state.requests import limited
from openevolve.state.sameness import Sameness
from openevolve.state.standing import Standing

JOURNAL_VERSION = 2
_EVENTS = {  # each has a method of its name, after an underscore
    "run_started", "selected", "replied", "provider_failed", "refused", "proposed", "measuring", "judged",
    "measured", "committed", "migrated", "reviewed", "idea", "asked", "offered", "reconsidered",
    "final_begun", "looked", "run_finished",
}  # fmt: skip
_PASSING = {FailureKind.TIMEOUT, FailureKind.OUT_OF_MEMORY}  # may end otherwise on another day
_OF_EVENTS = {"event", "elapsed", "iteration"}

Event = Mapping[str, Any]


@dataclass
class State:
    """Everything that is known of a run. Only ``apply`` changes it."""

    config: Config = field(default_factory=Config)  # of the latest session
    settings: Mapping[str, Any] = field(default_factory=dict)  # with which the run began
    initial_code: str | None = None
    population: Database = field(init=False)
    programs: dict[int, Program] = field(default_factory=dict)  # by iteration
    choices: dict[int, Choice] = field(default_factory=dict)  # by iteration
    outcomes: dict[int, Outcome] = field(default_factory=dict)  # by iteration, in order of finishing
    pending: dict[int, None] = field(default_factory=dict)  # of those, what does not count yet
    committed: list[int] = field(default_factory=list)  # iterations, in the order in which they counted
    migrated_at: int = 0  # so many counted when programs moved between islands last
    next_iteration: int = 0  # the first of which nothing is known; 0 is the initial program
    problems: dict[int, str] = field(default_factory=dict)  # of proposals without code, by iteration
    reviews: dict[int, str] = field(default_factory=dict)  # by iteration
    beliefs: list[str] = field(default_factory=list)  # of reviewers, in the order in which they came
    ideas: IdeaQueue = field(default_factory=IdeaQueue)
    decisions: dict[int, dict[int, Decision]] = field(default_factory=dict)  # by iteration and rung
    measuring: dict[int, float] = field(default_factory=dict)  # since when, by iteration under way
    replies: dict[tuple[int, str], list[Event]] = field(default_factory=dict)  # of what is under way
    failures: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)  # by gate
    usage: Usage = field(default_factory=Usage)
    evaluations: int = 0  # of programs of their own, however they ended; of these:
    full: int = 0  # have a score
    rejected: int = 0  # were stopped at a lower rung
    audits: int = 0  # went on only to test the rule that would have stopped them
    rungs: int = 0  # results that an evaluation gives, its last included; 0: none has ended yet
    elapsed: float = 0.0  # seconds of running, over all sessions
    sessions: int = 0
    finished: str | None = None  # why the latest session ended
    paused: bool = False  # at somebody's request
    final: Final | None = None  # the latest, less those who failed in it
    looks: list[Measurement] = field(default_factory=list)  # of that final
    again: dict[str, list[Measurement]] = field(default_factory=dict)  # at a person's request, by program
    measurements: Measurements = field(default_factory=Measurements)  # unit by unit
    reconsidered_at: int = 0  # so many counted when further looks were chosen last
    iterations: dict[str, int] = field(default_factory=dict)  # by program id
    standings: dict[int, Standing] = field(default_factory=dict)  # by iteration without an outcome
    _contexts: dict[int, Context] = field(default_factory=dict)  # of iterations without a program
    _counted: dict[int, int] = field(default_factory=dict)  # outcomes that counted when these were chosen
    _sameness: Sameness = field(default_factory=Sameness)

    def __post_init__(self) -> None:
        self.population = _population(self.config)

    def apply(self, event: Event) -> None:
        """Take in the next event.

        Raises:
            UserError: an event that this version does not know.
            LookupError, TypeError, ValueError, AttributeError: one that is not as this version writes it.
        """
        if event["event"] not in _EVENTS:
            raise UserError(
                f"expected an event of journal version {JOURNAL_VERSION}, found {event['event']!r}; "
                "read it with the version of openevolve that wrote it"
            )
        self.elapsed = max(self.elapsed, event["elapsed"])
        getattr(self, f"_{event['event']}")(event)

    # What happens to a run.

    def _run_started(self, event: Event) -> None:
        if event.get("version") != JOURNAL_VERSION:
            raise UserError(
                f"expected a journal of version {JOURNAL_VERSION}, found one of version "
                f"{event.get('version', 1)}; read it with the version of openevolve that wrote it"
            )
        self.config = check(Config, event["settings"], "journal")
        if not self.sessions:
            self.initial_code = event["initial_code"]
        if not self.committed:  # nothing rests on the settings yet
            self.settings = event["settings"]
            self.population = _population(self.config)
        self.sessions += 1
        self.finished, self.paused = None, False
        self.measuring.clear()
        if 0 in self.outcomes and not self.outcomes[0].evaluated:
            del self.outcomes[0]  # there is nothing to continue without it: perhaps limits were raised
            self.pending.pop(0, None)

    def _selected(self, event: Event) -> None:
        choice = Choice.from_json(event["choice"])
        self.choices[choice.iteration] = choice
        if choice.idea:
            self.ideas.take(choice.idea, choice.iteration)
        self._contexts[choice.iteration] = context_of(self, choice)
        self._counted[choice.iteration] = len(self.committed)
        self.next_iteration = max(self.next_iteration, choice.iteration + 1)
        if self.config.deterministic and isinstance(self.config.fidelity, LadderConfig):
            self.standings[choice.iteration] = self.standing()

    def _replied(self, event: Event) -> None:
        self.usage += Usage(**event["usage"])
        self.replies.setdefault((event["iteration"], event["purpose"]), []).append(event)

    def _provider_failed(self, event: Event) -> None:
        self.usage += Usage(**event["usage"])

    def _refused(self, event: Event) -> None:
        self.refusals[event["gate"]] += 1

    def _proposed(self, event: Event) -> None:
        program = Program.from_json(event["program"])
        iteration = program.iteration
        self.programs[iteration] = program
        self.iterations[program.id] = iteration
        self.next_iteration = max(self.next_iteration, iteration + 1)
        self._contexts.pop(iteration, None)
        self._counted.pop(iteration, None)
        self.replies.pop((iteration, "proposal"), None)
        if program.code:
            self._sameness.note("tried", program.code, iteration)
        else:
            self.problems[iteration] = event["problem"]

    def _measuring(self, event: Event) -> None:
        self.measuring[event["iteration"]] = event["elapsed"]

    def _judged(self, event: Event) -> None:
        decision = Decision.from_json(event["decision"])
        self.decisions.setdefault(event["iteration"], {})[decision.rung] = decision

    def _measured(self, event: Event) -> None:
        iteration, outcome = event["iteration"], Outcome.from_json(event["outcome"])
        program = self.programs[iteration]
        self.measuring.pop(iteration, None)
        self.replies.pop((iteration, "grade"), None)
        self.outcomes[iteration] = outcome
        self.pending[iteration] = None
        self.standings.pop(iteration, None)
        if outcome.failure is not None:
            self.failures[outcome.failure.value] += 1
        if not program.code:
            return
        self.evaluations += 1
        self.full += outcome.evaluated
        self.rejected += outcome.rejected
        self.audits += self.audited(iteration)
        if outcome.evaluated:
            self.rungs = max(self.rungs, *self.decisions.get(iteration, {}), 0)
        # Tried once more, where it is the initial program of an earlier session.
        ended = "to try again" if outcome.failure in _PASSING else "tried"
        self._sameness.note(ended, program.code, iteration)

    def _committed(self, event: Event) -> None:
        iteration = event["iteration"]
        program, outcome = self.programs[iteration], self.outcomes[iteration]
        self.committed.append(iteration)
        del self.pending[iteration]
        if event["duplicate_of"] is None and outcome.failure is None:
            self.measurements.take_outcome(program.id, outcome)
        if not outcome.evaluated:
            self.population.add_failure(Failure(program, outcome))
        elif event["duplicate_of"] is None:
            join(self, program, outcome)
        if not iteration:
            self.measurements.check(program.id, self.population.fitness(outcome.metrics))
        if self.measurements.refitted():
            revalue(self)

    def _migrated(self, event: Event) -> None:
        for program_id, _, target in event["moves"]:
            self.population.settle(program_id, target)
        self.migrated_at = len(self.committed)

    def _reviewed(self, event: Event) -> None:
        iteration = event["iteration"]
        review = Review.from_json({k: v for k, v in event.items() if k not in _OF_EVENTS})
        self.reviews[iteration] = review.text
        self.replies.pop((iteration, "review"), None)
        if review.text:
            self.population.annotate(self.programs[iteration].id, "review", review.text)
        if review.rewrites and review.belief:
            self.beliefs.clear()
        if review.belief and review.belief not in self.beliefs[-BELIEFS:]:
            self.beliefs.append(review.belief)
        for idea in review.ideas:
            self.ideas.add(idea)

    def _idea(self, event: Event) -> None:
        self.ideas.add(Idea.from_json(event["idea"]))
        self.ideas.inbox = max(self.ideas.inbox, event["line"])

    def _asked(self, event: Event) -> None:
        request = Request.from_json(event["request"])
        if request.what is Wish.LIMIT:
            self.config = limited(self.config, request)
        elif request.what is not Wish.STOP:
            self.paused = request.what is Wish.PAUSE

    def _offered(self, event: Event) -> None:
        # Of what counted before units were known nothing is on record that could be estimated from.
        units = [Unit.from_json(unit) for unit in event["units"]]
        self.measurements.offer(units, estimating=not self.committed)

    def _reconsidered(self, event: Event) -> None:
        self.reconsidered_at = event["committed"]
        self.measurements.due.update(dict.fromkeys(map(tuple, event["looks"])))

    def _final_begun(self, event: Event) -> None:
        self.final, self.looks = Final.from_json(event["final"]), []

    def _looked(self, event: Event) -> None:
        program_id, unit, repeat = key = event["program_id"], event["unit"], event["repeat"]
        measurement = None if event["failure"] else Measurement.from_json(event["measurement"])
        further = key in self.measurements.due
        self.measurements.take_look(program_id, unit, repeat, measurement)
        if further:
            take_up(self, self.iterations[program_id])
            revalue(self)
        elif event.get("asked"):
            if measurement is not None:
                self.again.setdefault(program_id, []).append(measurement)
        elif measurement is not None:
            self.looks.append(measurement)
        elif self.final is not None:
            left = tuple(name for name in self.final.candidates if name != program_id)
            self.final = replace(self.final, candidates=left)

    def _run_finished(self, event: Event) -> None:
        self.finished = event["reason"]

    # What can be asked of it.

    def standing(self) -> Standing:
        """What has been achieved by now."""
        return Standing(len(self.committed), self.population.cell_fitness(), self.population.axes)

    def context(self, iteration: int) -> Context:
        """What the proposal of an iteration is made from, with fresh random numbers of its own."""
        rng = random_source(self.config.random_seed, iteration, "proposal")
        context = self._contexts[iteration]
        found = Known()
        if self.config.prompt.num_tried:
            found = known(self, context.parent, iteration, self._counted[iteration])
        return replace(context, rng=rng, known=found)

    def scored(self, iteration: int) -> Elite:
        """A program that has a score, with what a reviewer said of it among its artifacts."""
        outcome, review = self.outcomes[iteration], self.reviews.get(iteration)
        notes = {"review": review} if review else {}
        return Elite(self.programs[iteration], outcome.metrics, {**outcome.artifacts, **notes})

    def audited(self, iteration: int) -> bool:
        """Whether a program was evaluated further only to test the rule that rejected it."""
        return any(d.verdict is Verdict.AUDITED for d in self.decisions.get(iteration, {}).values())

    def note_member(self, program: Program) -> None:
        """For ``member_like``."""
        self._sameness.note("member", program.code, program.iteration)

    def same_program(self, code: str, before: int) -> int | None:
        """The first iteration below ``before`` with a program that differs at most in comments and layout.

        Programs that took too long or too much memory may be tried again: they are not among those.
        """
        return self._sameness.first_tried(code, self.config.language, before)

    def member_like(self, code: str) -> int | None:
        """The iteration of a program of the population that is the same."""
        return self._sameness.member(code, self.config.language)


def _population(config: Config) -> Database:
    population: Database = find("population", config.search.population)(
        config.database, declared_axes(config)
    )
    return population
