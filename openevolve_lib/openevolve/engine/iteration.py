"""The way of one iteration: choose, propose, measure, commit, reflect. Each step leaves its events."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openevolve.engine.naming import child_program
from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.evaluating.executor import Executor
from openevolve.evaluating.remedies import WALLS
from openevolve.evaluation_result import NOT_FINITE
from openevolve.llm.base import ModelUnreachable
from openevolve.llm.calls import Calls, ProviderFailed
from openevolve.measuring.allocation import Allocation
from openevolve.population.fitness import stand_in, unlike
from openevolve.population.migration import migration_due
from openevolve.proposing.desk import Desk, Proposer
from openevolve.proposing.gates.base import Gate, guard
from openevolve.records.decision import Decision
from openevolve.records.program import Elite, Failure, FailureKind, Outcome, Program, Proposal
from openevolve.records.review import Review
from openevolve.reflection.grading import Grader, graded
from openevolve.reflection.reviewer import (
    DigestsHistory,
    NoReflection,
    Reflection,
    ReviewsFailures,
)
from openevolve.search.operators import draw_operator
from openevolve.search.parents import ParentStrategy
from openevolve.settings.models import Config
from openevolve.state.inbox import unread
from openevolve.state.random import random_source
from openevolve.state.state import State
from openevolve.state.view import View

log = logging.getLogger("openevolve")


@dataclass(frozen=True)
class Strategies:
    """What the steps of an iteration follow."""

    config: Config
    parents: ParentStrategy
    proposer: Proposer
    gates: Mapping[str, Gate]
    allocation: Callable[[Config, State], Allocation]  # built once the state is there
    reflection: Reflection
    grader: Grader | None = None  # where a model's grades are a part of the score


class Steps:
    """The steps, for whichever iteration they are asked."""

    def __init__(
        self,
        initial_code: str,
        strategies: Strategies,
        executor: Executor,
        state: State,
        record: Recorder,
        inbox: Path | None = None,
    ) -> None:
        """``inbox``: the folder of the journal, where persons leave ideas."""
        self._inbox = inbox
        self._initial_code = initial_code
        self._strategies = strategies
        self._state = state
        self._record = record
        self._executor = executor
        self.allocation = strategies.allocation(strategies.config, state)

    @property
    def reflects(self) -> bool:
        return not isinstance(self._strategies.reflection, NoReflection)

    def reflects_on(self, iteration: int) -> bool:
        """Whether an outcome that counts is to be digested; failures are by those who look at them."""
        evaluated = self._state.outcomes[iteration].evaluated
        return evaluated or isinstance(self._strategies.reflection, ReviewsFailures | DigestsHistory)

    def choose(self, iteration: int) -> None:
        """Choose an iteration's prompt from the population as it stands."""
        if self._inbox is not None:
            for line, idea in unread(self._inbox, self._state.ideas.inbox):
                self._record("idea", line=line, idea=idea.to_json())
        strategy = self._strategies.parents
        choice = strategy.choose(self._view(iteration), iteration)
        operators = self._strategies.config.search.operators
        if operators and not choice.operator:
            rng = random_source(self._state.config.random_seed, iteration, "operator")
            operator = draw_operator(self._view(iteration), operators, choice, rng)
            choice = replace(choice, operator=operator)
        name = getattr(strategy, "strategy_name", type(strategy).__qualname__)
        self._record("selected", choice=replace(choice, strategy=name).to_json())

    async def obtain(self, iteration: int) -> None:
        """Bring an iteration to an outcome, from wherever an earlier session left it.

        Raises:
            ProviderFailed: the language model cannot be had at present.
            UserError: what no later iteration could mend.
        """
        if iteration not in self._state.programs:
            await self._propose(iteration)
        program = self._state.programs[iteration]
        if program.code:
            await self._measure(program)
        else:
            self._measured(program, Outcome.invalid(program.id, self._state.problems[iteration]))

    async def _propose(self, iteration: int) -> None:
        context = None
        proposal = Proposal(code=self._initial_code, proposer="initial", changes="the initial program")
        if iteration:
            context = self._state.context(iteration)
            refuse = guard(self._strategies.gates, context, self._view(iteration), self._refused(iteration))
            desk = Desk(self._calls(iteration, "proposal"), refuse)
            proposal = await self._strategies.proposer.propose(context, desk)
            if proposal.code is not None and (reason := refuse(proposal)):
                proposal = replace(proposal, code=None, problem=reason)
        seed = self._state.config.random_seed
        self._record(
            "proposed",
            program=child_program(seed, iteration, context, proposal).to_json(),
            proposer=proposal.proposer,
            model=proposal.model,
            problem=proposal.problem,
        )

    async def _measure(self, program: Program) -> None:
        iteration = program.iteration

        def started() -> None:
            self._record("measuring", iteration=iteration, program_id=program.id)

        def judged(decision: Decision) -> None:
            self._record("judged", iteration=iteration, decision=decision.to_json())

        decide = self.allocation.decider(program, judged)
        outcome = await self._executor.evaluate(program, decide, started)
        if outcome.evaluated and (grader := self._strategies.grader):
            grades = await grader.grade(program, self._calls(iteration, "grade"))
            outcome = graded(outcome, grades, self._strategies.config.evaluator.llm_feedback_weight)
        if outcome.evaluated:
            try:
                self._state.population.check(Elite(program, outcome.metrics))
            except ValueError as error:
                diverged = any(text.endswith(NOT_FINITE) for text in outcome.artifacts.values())
                kind = FailureKind.DIVERGED if diverged else FailureKind.CRASHED
                why = f" ({outcome.artifacts[WALLS]})" if WALLS in outcome.artifacts else ""
                outcome = Outcome(program.id, failure=kind, message=f"{error}{why}")
        elif outcome.rejected:
            decision = self._state.decisions[iteration][outcome.rung]
            outcome = replace(outcome, message=decision.explanation())
        self._measured(program, outcome)

    def _measured(self, program: Program, outcome: Outcome) -> None:
        self._record("measured", sync=True, iteration=program.iteration, outcome=outcome.to_json())

    def commit(self, iteration: int) -> None:
        """Let an outcome count: it shapes the population from now on.

        Raises UserError for an initial program without a score.
        """
        outcome = self._state.outcomes[iteration]
        if iteration == 0 and not outcome.evaluated:
            raise UserError(
                f"expected an initial program with a score, found {outcome.failure}: {outcome.message}"
                f"\n{outcome.output_tail}".rstrip()
            )
        if iteration == 0:
            self._say_what_fitness_is(outcome.metrics)
        code = self._state.programs[iteration].code
        duplicate = self._state.member_like(code) if outcome.evaluated else None
        self._record("committed", iteration=iteration, duplicate_of=duplicate)
        self.migrate()

    def _say_what_fitness_is(self, metrics: Mapping[str, float]) -> None:
        """Raises UserError where something else than the fitness metric would be, and says nothing."""
        names = self._state.population.judged_by(metrics)
        if len(names) > 1 and (problem := unlike(names, metrics)):
            raise UserError(problem)
        if note := stand_in(names, self._state.config.database.fitness_metric):
            log.warning("WARNING: %s", note)

    def migrate(self) -> None:
        """Move programs between islands where it is time to."""
        if migration_due(self._state.config.database, len(self._state.committed), self._state.migrated_at):
            moves = self._state.population.emigrants()
            self._record("migrated", moves=moves)
            log.info("migration: %d programs moved between islands", len(moves))

    async def reflect(self, iteration: int) -> None:
        """Digest an outcome that counts. A model that cannot be reached costs the review and nothing else.

        Raises ProviderRejected where no call can succeed.
        """
        program, outcome = self._state.programs[iteration], self._state.outcomes[iteration]
        parent = self._state.scored(self._state.iterations[program.parent_ids[0]])
        reflection, calls = self._strategies.reflection, self._calls(iteration, "review")
        try:
            review: Review | None
            if isinstance(reflection, DigestsHistory):
                review = await reflection.digest(self._view(iteration), iteration, calls)
            elif outcome.evaluated:
                review = await reflection.review(self._state.scored(iteration), parent, calls)
            elif isinstance(reflection, ReviewsFailures):
                review = await reflection.review_failure(Failure(program, outcome), parent, calls)
            else:
                return
        except (ProviderFailed, ModelUnreachable) as failure:
            log.warning("no review of iteration %d: %s", iteration, failure)
            review = Review(problem=str(failure))
        if review is not None:
            self._record("reviewed", iteration=iteration, **review.to_json())

    def _view(self, iteration: int) -> View:
        config = self._state.config
        # What may be used must not depend on how fast others are, if the run is to be repeated.
        return View(self._state, max(1, iteration - config.lag) if config.deterministic else iteration)

    def _calls(self, iteration: int, purpose: str) -> Calls:
        def source(use: str) -> Any:
            return random_source(self._state.config.random_seed, iteration, use)

        earlier = self._state.replies.get((iteration, purpose), [])
        return Calls(iteration, purpose, self._record, source, earlier)

    def _refused(self, iteration: int) -> Any:
        return lambda gate, reason: self._record("refused", iteration=iteration, gate=gate, reason=reason)
