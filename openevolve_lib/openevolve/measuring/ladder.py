"""The rungs of a run: ``fidelity``'s rule, with observations from the run and decisions for its journal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openevolve.evaluating.channel import Decide
from openevolve.evaluation_result import EvaluationFailed
from openevolve.measuring.allocation import LooksAgain, Record
from openevolve.measuring.promotion import (
    LARGEST_SCORE,
    Audit,
    Climb,
    Judged,
    PromotionRule,
    audit,
)
from openevolve.population.island import Cell
from openevolve.records.decision import Decision, Verdict
from openevolve.records.program import Elite, FailureKind, Outcome, Program, Rung
from openevolve.settings.models import Config, LadderConfig
from openevolve.settings.registry import strategy
from openevolve.state.random import random_source
from openevolve.state.standing import Standing
from openevolve.state.state import State

COST_METRIC = (
    "cost"  # of a rung and of a full evaluation, in any unit; without it seconds of wall clock count
)


@strategy("allocation", "ladder")
class Ladder(LooksAgain):
    """Programs go on from rung to rung as ``PromotionRule`` decides.

    The last result of an evaluation looks like that of a rung. Which one it is, is known from the first
    program that was evaluated in full; until then the rule, which has learned nothing, promotes all.
    A decision that the journal holds stands, so that a program whose evaluation was cut off is judged
    once. In deterministic mode a decision rests on what was committed when its iteration began, else on
    all that has been committed when it is made.
    """

    def __init__(self, config: Config, state: State) -> None:
        super().__init__(config, state)
        self._settings = config.fidelity if isinstance(config.fidelity, LadderConfig) else LadderConfig()
        self._state = state
        self._climbs: list[tuple[int, Climb]] = []  # with their place among the commits
        self._seen = 0  # of the state's commits

    def decider(self, program: Program, record: Record) -> Decide:
        iteration = program.iteration

        def decide(rung: Rung) -> bool:
            if 0 < self._state.rungs <= rung.number:
                return True  # the evaluation's last result: there is nothing left to save
            decision = self._state.decisions.get(iteration, {}).get(rung.number)
            if decision is None:
                standing = self._state.standings.get(iteration) or self._state.standing()
                decision = self._decision(program, rung, standing)
                record(decision)
            return decision.verdict is not Verdict.REJECTED

        return decide

    def _decision(self, program: Program, rung: Rung, standing: Standing) -> Decision:
        """Raises EvaluationFailed where the rung has no usable score."""
        name = self._state.config.database.fitness_metric
        score = rung.metrics.get(name)
        if score is None or abs(score) > LARGEST_SCORE:
            found = sorted(rung.metrics) if score is None else f"{score:g}"
            raise EvaluationFailed(
                FailureKind.CRASHED, f"rung {rung.number}: expected a usable metric {name!r}, found {found}"
            )
        rule = PromotionRule(self._settings, self._climbs_of(standing.committed))
        cell = self._cell(Elite(program, rung.metrics), standing)
        if cell is not None and is_remote(cell, standing.elites):
            return rule.promote(rung.number, score)
        elite = None if cell is None else standing.elites[program.island].get(cell)
        draw = random_source(self._state.config.random_seed, program.iteration, "audit").random()
        return rule.decide(rung.number, score, elite, draw)

    def _cell(self, candidate: Elite, standing: Standing) -> Cell | None:
        try:
            return self._state.population.cell(candidate, standing.axes)
        except ValueError:  # the rung does not know all axes of the archive
            return None

    def _climbs_of(self, committed: int) -> list[Climb]:
        """How far the first so many programs came that counted."""
        for place in range(self._seen, len(self._state.committed)):
            climb = self._climb(self._state.committed[place])
            if climb is not None:
                self._climbs.append((place, climb))
        self._seen = len(self._state.committed)
        return [climb for place, climb in self._climbs if place < committed]

    def _climb(self, iteration: int) -> Climb | None:
        decisions = self._state.decisions.get(iteration, {})
        scores = {rung: decision.score for rung, decision in decisions.items() if rung < self._state.rungs}
        if not scores:
            return None
        outcome = self._state.outcomes[iteration]
        final = self._state.population.fitness(outcome.metrics) if outcome.evaluated else math.inf
        return Climb(scores, final if abs(final) <= LARGEST_SCORE else None)


def is_remote(cell: Cell, elites: Sequence[Mapping[Cell, float]]) -> bool:
    """Whether no island has a program in the cell or beside it: what others scored says little there."""
    return not any(
        all(abs(there - here) <= 1 for there, here in zip(other, cell, strict=True))
        for island in elites
        for other in island
    )


def allocation_name(config: Config) -> str:
    """The policy that the setting ``fidelity`` asks for."""
    return config.fidelity if isinstance(config.fidelity, str) else "ladder"


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


def ladder_report(state: State) -> LadderReport:
    """From the journal's outcomes and decisions; programs that reused a result count for nothing."""
    own = {i: outcome for i, outcome in state.outcomes.items() if i in state.decisions}
    finals = {i: state.population.fitness(outcome.metrics) for i, outcome in own.items() if outcome.evaluated}
    judged = []
    for iteration, final in finals.items():
        decisions = [d for d in state.decisions[iteration].values() if d.judged]
        if decisions:
            verdict = Verdict.AUDITED if state.audited(iteration) else Verdict.PROMOTED
            last = decisions[-1]  # in an empty cell any score would have been an elite's
            judged.append(Judged(verdict, final, last.to_beat if last.elite else -math.inf))
    return LadderReport(
        full=state.full,
        rejected=state.rejected,
        audited=state.audits,
        audit=audit(judged, list(finals.values()), state.rejected),
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
