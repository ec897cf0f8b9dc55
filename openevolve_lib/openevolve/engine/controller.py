"""The loop: choose, propose, evaluate, commit. Everything that it learns goes to the journal first."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from openevolve.engine.offspring import offspring
from openevolve.errors import UserError
from openevolve.evaluating.local import Executor
from openevolve.llm.base import ModelUnreachable
from openevolve.measuring.ladder import Knowledge, build_fidelity
from openevolve.measuring.promotion import Decision
from openevolve.population.database import Database
from openevolve.proposing import Proposer
from openevolve.proposing.gates.copies import refuse_copies
from openevolve.records.program import Context, Elite, Failure, FailureKind, Outcome, Program, Proposal
from openevolve.reflection.reviewer import NoReviewer, Review, Reviewer
from openevolve.search.parents import Selection, random_source
from openevolve.search.stopping import Stopping
from openevolve.settings.files import public_settings
from openevolve.settings.models import Config
from openevolve.state.history import History
from openevolve.state.journal import Event, Journal

log = logging.getLogger("openevolve")


@dataclass(frozen=True)
class Parts:
    """What the loop works with."""

    journal: Journal
    history: History
    database: Database
    selection: Selection
    proposer: Proposer
    executor: Executor
    reviewer: Reviewer = NoReviewer()


@dataclass(frozen=True)
class View:
    """What an iteration may know of the others."""

    horizon: int  # results of iterations below this one may be reused
    knowledge: Knowledge | None  # what decisions between rungs may rest on


class Observer(Protocol):
    """Is told what happened, after it has: a display, a writer of checkpoints."""

    def recorded(self, event: Event) -> None:
        """An event has been appended to the journal."""

    def committed(self, program: Program, outcome: Outcome) -> None:
        """An outcome has become part of the population, in this session or replayed from an earlier one."""


class Controller:
    """Runs iterations until enough are done, a limit is reached or it is asked to stop.

    An iteration is a task of its own, so that proposals are written while programs are evaluated.
    As many are under way as there are slots, and ``proposals_ahead`` more. In deterministic mode
    they are committed in the order of their numbers, so that each is chosen from a population that
    depends on the seed alone.
    """

    def __init__(self, config: Config, initial_code: str, parts: Parts, observers: list[Observer]) -> None:
        self.config = config
        self.initial_code = initial_code
        self.journal, self.history, self.database = parts.journal, parts.history, parts.database
        self.selection, self.proposer, self.executor = parts.selection, parts.proposer, parts.executor
        self.reviewer = parts.reviewer
        self.observers = observers
        self.fidelity = build_fidelity(config, self.database, self.history)
        self.stopping = Stopping(config)
        self.running: dict[int, asyncio.Task[None]] = {}
        self.evaluating: dict[int, None] = {}  # in order of asking for a slot
        self.committed = 0
        self._waiting: deque[int] = deque()
        self._unreachable: ModelUnreachable | None = None
        self._start, self._start_offset = time.monotonic(), self.history.elapsed

    async def run(self) -> str:
        """Run to the end and return why it ended: ``completed``, or what stopped it.

        Raises:
            UserError: what no later iteration could mend (a full disk, a refused key, no answer).
        """
        self._open()
        try:
            while True:
                while self._has_room():
                    self._begin(self._waiting.popleft())
                iteration = await self._next_finished()
                if iteration is None:
                    break
                self._commit(iteration)
        finally:
            await self._abandon()
        if self._unreachable:
            raise self._unreachable
        reason = self.stopping.reason or "completed"
        self._record("run_finished", sync=True, reason=reason)
        return reason

    def stop(self, reason: str) -> None:
        """Begin nothing new and finish the evaluations that are running; proposals wait for a resume."""
        self.stopping.ask(reason)
        holding_slots = list(self.evaluating)[: self.executor.slots]  # slots are given in order of asking
        for iteration, task in self.running.items():
            if iteration not in holding_slots:
                task.cancel()

    def abort(self, reason: str) -> None:
        """End what is running as well; a resume does it again."""
        self.stopping.ask(reason)
        for task in self.running.values():
            task.cancel()

    def elapsed(self) -> float:
        """Seconds of running over all sessions of the run."""
        return self._start_offset + time.monotonic() - self._start

    def _open(self) -> None:
        self._start = time.monotonic()
        self._record("run_started", initial_code=self.initial_code, settings=public_settings(self.config))
        if 0 in self.history.outcomes and not self.history.outcomes[0].evaluated:
            del self.history.outcomes[
                0
            ]  # without it there is nothing to continue: perhaps limits were raised
        known = max(self.history.programs, default=-1) + 1
        iterations = range(max(known, self.config.max_iterations + 1))
        if self.config.deterministic:
            self._waiting = deque(iterations)
            return
        # Results were committed in the order in which they came in: do the same again.
        ended = list(self.history.outcomes)
        self._waiting = deque(sorted(set(iterations).difference(ended)))
        for iteration in ended:
            self._commit(iteration)

    def _has_room(self) -> bool:
        if not self._waiting or len(self.running) >= self.executor.slots + self.config.proposals_ahead:
            return False
        iteration = self._waiting[0]
        if iteration in self.history.outcomes:
            return True  # there is nothing left to do but to commit it
        if self.stopping.asked:
            return False
        if iteration in self.history.programs:
            return True  # it was begun before: a limit does not take it back
        if iteration > 0 and self.committed == 0:
            return False  # nothing to choose from before the initial program has its score
        return not self.stopping.reached(self.history, self.elapsed())

    def _begin(self, iteration: int) -> None:
        known = iteration in self.history.programs or iteration == 0
        context = None if known else self.selection.choose(self.database, iteration)
        # What may be reused must not depend on how fast others are, if the run is to be repeated.
        horizon = self.committed if self.config.deterministic else iteration
        view = View(horizon, self.fidelity.knowledge())
        self.running[iteration] = asyncio.create_task(self._iterate(iteration, context, view))

    async def _iterate(self, iteration: int, context: Context | None, view: View) -> None:
        """Bring one iteration to an outcome in the history, from wherever an earlier session left it."""
        if iteration not in self.history.outcomes:
            await self._obtain_outcome(iteration, context, view)
        evaluated = self.history.outcomes[iteration].evaluated
        if evaluated and iteration > 0 and iteration not in self.history.reviews:
            await self._review(iteration)

    async def _obtain_outcome(self, iteration: int, context: Context | None, view: View) -> None:
        if iteration not in self.history.programs:
            await self._propose(iteration, context)
        program = self.history.programs[iteration]
        same = self.history.same_program(program.code, before=view.horizon)
        if not program.code:
            self._finish(program, Outcome.invalid(program.id, self.history.problems[iteration]))
        elif same is not None:
            self._finish(program, same.reused_for(program.id), reused=True)
        else:
            await self._evaluate(program, view.knowledge)

    async def _propose(self, iteration: int, context: Context | None) -> None:
        if context is None:
            proposal = Proposal(code=self.initial_code, proposer="initial", changes="the initial program")
        else:
            proposal = refuse_copies(
                await self.proposer.propose(context), context, self.config.database.similarity_threshold
            )
        program = offspring(self.config.random_seed, iteration, context, proposal)
        self._record("proposed", program=program.to_json(), **_provenance(proposal))

    async def _evaluate(self, program: Program, knowledge: Knowledge | None) -> None:
        self._record("evaluation_started", iteration=program.iteration, program_id=program.id)
        self.evaluating[program.iteration] = None

        def record(decision: Decision) -> None:
            self._record("judged", iteration=program.iteration, decision=decision.to_json())

        decide = self.fidelity.decider(program, knowledge, record)
        outcome = await self.executor.evaluate(program, decide)
        del self.evaluating[program.iteration]
        if outcome.evaluated:
            try:
                self.database.check(Elite(program, outcome.metrics))
            except ValueError as error:
                outcome = Outcome(program.id, failure=FailureKind.CRASHED, message=str(error))
        elif outcome.rejected:
            decision = self.history.decisions[program.iteration][outcome.rung]
            outcome = replace(outcome, message=decision.explanation())
        self._finish(program, outcome)

    async def _review(self, iteration: int) -> None:
        child = self.history.elite(iteration)
        parent = self.history.elite(self.history.iterations[child.program.parent_ids[0]])
        rng = random_source(self.config.random_seed, iteration, "review")
        review = await self.reviewer.review(child, parent, rng)
        if review != Review():
            self._record("reviewed", iteration=iteration, **asdict(review))

    def _finish(self, program: Program, outcome: Outcome, *, reused: bool = False) -> None:
        name = "evaluated" if outcome.evaluated else "rejected" if outcome.rejected else "failed"
        self._record(name, sync=True, iteration=program.iteration, outcome=outcome.to_json(), reused=reused)

    async def _next_finished(self) -> int | None:
        """The iteration to commit next, or None where nothing is under way any more.

        That is the lowest in deterministic mode, else the first to finish.
        """
        while self.running:
            for iteration in [i for i, task in self.running.items() if task.done()]:
                task = self.running[iteration]
                if task.cancelled():
                    del self.running[iteration]
                elif isinstance(error := task.exception(), ModelUnreachable):
                    del self.running[iteration]
                    self._unreachable = self._unreachable or error
                    self.stop("the language model does not answer")
                else:
                    task.result()  # raises what no later iteration could mend
            ready = self._ready()
            if ready is not None:
                del self.running[ready]
                return ready
            pending = [task for task in self.running.values() if not task.done()]
            if not pending:
                return None  # finished ones behind a gap: they are committed on resume
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return None

    def _ready(self) -> int | None:
        if self.config.deterministic:
            task = self.running.get(self.committed)
            return self.committed if task is not None and task.done() else None
        finished = {i for i, task in self.running.items() if task.done()}
        earliest = None
        for iteration in reversed(self.history.outcomes):  # the latest are those that just finished
            if not finished:
                break
            if iteration in finished:
                finished.discard(iteration)
                earliest = iteration
        return earliest

    def _commit(self, iteration: int) -> None:
        program, outcome = self.history.programs[iteration], self.history.outcomes[iteration]
        if outcome.evaluated:
            self._add(iteration)
        elif iteration == 0:
            raise UserError(
                f"expected an initial program with a score, found {outcome.failure}: {outcome.message}"
                f"\n{outcome.output_tail}".rstrip()
            )
        else:
            self.database.add_failure(Failure(program, outcome))
        self.committed += 1
        self.fidelity.committed(program, outcome)
        self.stopping.committed(outcome, iteration)
        self._migrate()
        for observer in self.observers:
            observer.committed(program, outcome)

    def _add(self, iteration: int) -> None:
        try:
            self.database.add(self.history.elite(iteration))
        except ValueError as error:  # new results are checked before: one of an earlier version
            raise UserError(
                f"iteration {iteration} in the journal: {error}. Resume with the version that wrote it."
            ) from None

    def _migrate(self) -> None:
        islands = self.config.database.num_islands
        if islands > 1 and self.committed % (self.config.database.migration_interval * islands) == 0:
            moves = self.database.migrate()
            log.info("migration: %d programs moved between %d islands", len(moves), islands)

    async def _abandon(self) -> None:
        """End what is still under way; the journal knows that it has no outcome."""
        for task in self.running.values():
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)

    def _record(self, name: str, *, sync: bool = False, **content: Any) -> None:
        event = {"event": name, "elapsed": round(self.elapsed(), 3), **content}
        self.journal.append(event, sync=sync)
        self.history.apply(event)
        for observer in self.observers:
            observer.recorded(event)


def _provenance(proposal: Proposal) -> Mapping[str, Any]:
    content = asdict(proposal)
    return {key: content[key] for key in content if key not in ("code", "changes", "parent_ids")}
