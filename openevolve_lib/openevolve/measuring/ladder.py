"""The rungs of a run: ``fidelity``'s rule, with observations from the run and decisions for its journal."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openevolve.evaluating.channel import Decide
from openevolve.evaluation_result import EvaluationFailed
from openevolve.measuring.promotion import (
    LARGEST_SCORE,
    Audit,
    Climb,
    Decision,
    Judged,
    PromotionRule,
    Verdict,
    audit,
)
from openevolve.population.database import Database
from openevolve.population.island import Cell
from openevolve.records.program import Elite, FailureKind, Outcome, Program, Rung
from openevolve.search.parents import random_source
from openevolve.settings.models import Config, LadderConfig
from openevolve.state.history import History

COST_METRIC = (
    "cost"  # of a rung and of a full evaluation, in any unit; without it seconds of wall clock count
)

Record = Callable[[Decision], None]


@dataclass(frozen=True)
class Knowledge:
    """What a decision may rest on."""

    climbs: int  # the first so many that were committed
    elites: Sequence[Mapping[Cell, float]]  # by island: the fitness of each cell's


class Fidelity(Protocol):
    """How far programs are evaluated."""

    def knowledge(self) -> Knowledge | None:
        """What the decisions on an iteration that begins now may rest on; None: all that is known by then."""

    def decider(self, program: Program, knowledge: Knowledge | None, record: Record) -> Decide | None:
        """Whether ``program`` goes on after a rung; each new decision is recorded first."""

    def committed(self, program: Program, outcome: Outcome) -> None:
        """An outcome has become part of the population."""


class EverythingInFull:
    """``fidelity: full``, the protocol of the field."""

    def knowledge(self) -> None:
        return None

    def decider(self, program: Program, knowledge: Knowledge | None, record: Record) -> None:
        return None

    def committed(self, program: Program, outcome: Outcome) -> None:
        """Nothing is learned."""


class Ladder:
    """Programs go on from rung to rung as ``PromotionRule`` decides.

    The last result of an evaluation looks like that of a rung. Which one it is, is known from the first
    program that was evaluated in full; until then the rule, which has learned nothing, promotes all.
    A decision that the journal holds stands, so that a program whose evaluation was cut off is judged
    once. In deterministic mode a decision rests on what was committed when its iteration began, else on
    all that has been committed when it is made.
    """

    def __init__(self, settings: LadderConfig, config: Config, database: Database, history: History) -> None:
        self._settings = settings
        self._config = config
        self._database = database
        self._history = history
        self._climbs: list[Climb] = []

    def knowledge(self) -> Knowledge | None:
        return self._now() if self._config.deterministic else None

    def _now(self) -> Knowledge:
        return Knowledge(len(self._climbs), self._database.cell_fitness())

    def decider(self, program: Program, knowledge: Knowledge | None, record: Record) -> Decide:
        iteration = program.iteration

        def decide(rung: Rung) -> bool:
            if 0 < self._history.rungs <= rung.number:
                return True  # the evaluation's last result: there is nothing left to save
            decision = self._history.decisions.get(iteration, {}).get(rung.number)
            if decision is None:
                decision = self._decision(program, rung, knowledge or self._now())
                record(decision)
            return decision.verdict is not Verdict.REJECTED

        return decide

    def _decision(self, program: Program, rung: Rung, knowledge: Knowledge) -> Decision:
        """Raises EvaluationFailed where the rung has no usable score."""
        name = self._config.database.fitness_metric
        score = rung.metrics.get(name)
        if score is None or abs(score) > LARGEST_SCORE:
            found = sorted(rung.metrics) if score is None else f"{score:g}"
            raise EvaluationFailed(
                FailureKind.CRASHED, f"rung {rung.number}: expected a usable metric {name!r}, found {found}"
            )
        rule = PromotionRule(self._settings, self._climbs[: knowledge.climbs])
        cell = self._cell(Elite(program, rung.metrics))
        if cell is not None and is_remote(cell, knowledge.elites):
            return rule.promote(rung.number, score)
        elite = None if cell is None else knowledge.elites[program.island].get(cell)
        draw = random_source(self._config.random_seed, program.iteration, "audit").random()
        return rule.decide(rung.number, score, elite, draw)

    def _cell(self, candidate: Elite) -> Cell | None:
        try:
            return self._database.cell(candidate)
        except ValueError:  # the rung does not know all axes of the archive
            return None

    def committed(self, program: Program, outcome: Outcome) -> None:
        decisions = self._history.decisions.get(program.iteration, {})
        scores = {rung: decision.score for rung, decision in decisions.items() if rung < self._history.rungs}
        if scores:  # a program whose result is another's has none
            final = self._database.fitness(outcome.metrics) if outcome.evaluated else math.inf
            self._climbs.append(Climb(scores, final if abs(final) <= LARGEST_SCORE else None))


def is_remote(cell: Cell, elites: Sequence[Mapping[Cell, float]]) -> bool:
    """Whether no island has a program in the cell or beside it: what others scored says little there."""
    return not any(
        all(abs(there - here) <= 1 for there, here in zip(other, cell, strict=True))
        for island in elites
        for other in island
    )


def build_fidelity(config: Config, database: Database, history: History) -> Fidelity:
    """What the setting ``fidelity`` asks for."""
    if isinstance(config.fidelity, LadderConfig):
        return Ladder(config.fidelity, config, database, history)
    return EverythingInFull()


@dataclass(frozen=True)
class LadderReport:
    """What the rungs of a run saved, and what they may have cost."""

    full: int
    rejected: int
    audited: int
    audit: Audit
    cost_share: float | None  # of what everything in full would have cost; None: nothing to compare with

    def lines(self) -> list[str]:
        """Greppable ``key: value`` lines for the end of a run."""
        share = "unknown" if self.cost_share is None else f"{self.cost_share:.3f}"
        return [
            f"evaluated_in_full: {self.full}",
            f"rejected: {self.rejected}",
            f"audited: {self.audited}",
            f"audit_recall: {self.audit}",
            f"cost_share: {share}",
        ]


def ladder_report(history: History, database: Database) -> LadderReport:
    """From the journal's outcomes and decisions; programs that reused a result count for nothing."""
    own = {i: outcome for i, outcome in history.outcomes.items() if i in history.decisions}
    finals = {i: database.fitness(outcome.metrics) for i, outcome in own.items() if outcome.evaluated}
    judged = []
    for iteration, final in finals.items():
        decisions = [d for d in history.decisions[iteration].values() if d.judged]
        if decisions:
            verdict = Verdict.AUDITED if history.audited(iteration) else Verdict.PROMOTED
            judged.append(Judged(verdict, final, decisions[-1].to_beat))
    return LadderReport(
        full=history.full,
        rejected=history.rejected,
        audited=history.audits,
        audit=audit(judged, list(finals.values()), history.rejected),
        cost_share=_cost_share(
            [o for o in own.values() if o.evaluated], [o for o in own.values() if o.rejected]
        ),
    )


def _cost_share(full: Sequence[Outcome], rejected: Sequence[Outcome]) -> float | None:
    """The cost of all, as a share of as many full evaluations at their mean cost.

    That of a program on all rungs: what those do beside the full evaluation (brief trainings) counts as its.
    """
    known = all(COST_METRIC in outcome.metrics for outcome in (*full, *rejected))

    def cost(outcomes: Sequence[Outcome]) -> float:
        return math.fsum(o.metrics[COST_METRIC] if known else o.seconds for o in outcomes)

    in_full = cost(full) / len(full) * (len(full) + len(rejected)) if full else 0.0
    return (cost(full) + cost(rejected)) / in_full if in_full > 0 else None
