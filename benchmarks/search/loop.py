"""A search on a table, with the engine's own estimates, parent choice, allocation and final."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.tables import Table
from openevolve.measuring.allocation import Allocation, Full, Situation
from openevolve.population.estimates import Estimates
from openevolve.records.measurement import Measure, Measurement
from openevolve.search.final import Halving, begin
from openevolve.search.weighted import Candidates, ParentChoice

_TRIES = 50  # at a new program from one parent; then a parent is chosen anew, and at last any program
_MARKS = 20  # of the anytime curve


@dataclass(frozen=True)
class Arm:
    """One way to search. ``independent``: proposals owe nothing to a parent."""

    name: str
    parents: ParentChoice
    allocation: Allocation = Full()  # noqa: RUF009
    final_share: float = 0.0
    independent: bool = False


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    regret: float  # of the chosen program, against the best of the table
    excess: float  # its claimed score less its true one
    curve: tuple[float, ...]  # regret of the best by estimate after 1/20, 2/20 ... of the budget
    programs: int
    cost: float

    @property
    def area(self) -> float:
        """Under the anytime curve: mean regret over the budget."""
        return float(np.mean(self.curve))


class _Search:
    """The state of one search; nothing of it is known beforehand but the seed."""

    def __init__(self, table: Table, arm: Arm, seed: int) -> None:
        self.table, self.arm, self.seed = table, arm, seed
        self.proposals = random.Random(f"{seed}/proposals")
        self.choices = np.random.default_rng([seed, 1])
        self.estimates = Estimates(table.units)
        self.columns = {unit.name: column for column, unit in enumerate(table.units)}
        self.costs = {unit.name: unit.cost for unit in table.units}
        self.numbers: dict[str, int] = {}  # of the table, by program
        self.children: dict[int, int] = {}
        self.repeats: dict[tuple[str, str], int] = {}
        self.waiting: list[str] = []
        self.spent = self.further = 0.0
        self.curve: list[float] = []
        self._propose(table.space.initial(random.Random(f"{seed}/initial")))

    def run(self, budget: float) -> Found:
        search_budget = budget * (1 - self.arm.final_share)
        dearest = min(self.costs.values())
        while self.spent + dearest <= search_budget * (1 + 1e-9):
            situation = Situation(
                self.estimates, self.waiting, spent=self.spent, further=self.further, costs=self.costs
            )
            action = self.arm.allocation.next(situation, self.choices)
            if isinstance(action, Measure):
                self._measure(action)
                self._mark(budget)
            else:
                self._propose(self._child())
        winner, claim = self._winner(budget - self.spent)
        truth, best = self.table.fitness(self.numbers[winner]), self.table.best()
        self.curve += [best - truth] * (_MARKS - len(self.curve))
        return Found(best - truth, claim - truth, tuple(self.curve), len(self.numbers), self.spent)

    def _propose(self, number: int) -> None:
        self.numbers[str(number)] = number
        self.waiting.append(str(number))

    def _value(self, program: str, unit: str) -> Measurement:
        repeat = self.repeats.get((program, unit), 0)
        self.repeats[program, unit] = repeat + 1
        value = self.table.value(self.seed, self.numbers[program], self.columns[unit], repeat)
        self.spent += self.costs[unit]
        return Measurement(program, unit, repeat, value, self.costs[unit])

    def _measure(self, action: Measure) -> None:
        if action.program_id in self.waiting:
            self.waiting.remove(action.program_id)
        else:
            self.further += self.costs[action.unit]
        self.estimates.add(self._value(action.program_id, action.unit))

    def _mark(self, budget: float) -> None:
        while len(self.curve) < _MARKS and self.spent >= (len(self.curve) + 1) / _MARKS * budget * (1 - 1e-9):
            best = self.estimates.ids[int(np.argmax(self.estimates.means))]
            self.curve.append(self.table.best() - self.table.fitness(self.numbers[best]))

    def _child(self) -> int:
        """A program that is not known yet: a copy would be refused before anything is measured."""
        space = self.table.space
        for _ in range(_TRIES):
            if self.arm.independent:
                number = space.independent(self.proposals)
            else:
                row = self.arm.parents.choose(self._candidates(), self.choices)
                parent = int(self.estimates.ids[row])
                number = space.child(parent, self.proposals)
            if str(number) not in self.numbers:
                if not self.arm.independent:
                    self.children[parent] = self.children.get(parent, 0) + 1
                return number
        while str(number := space.independent(self.proposals)) in self.numbers:
            pass
        return number

    def _candidates(self) -> Candidates:
        ids: Sequence[str] = self.estimates.ids
        numbers = np.array([int(program) for program in ids])
        children = np.array([self.children.get(number, 0) for number in numbers.tolist()])
        cells = self.table.cells[numbers]
        return Candidates(ids, self.estimates.means, self.estimates.sds, children, cells)

    def _winner(self, budget: float) -> tuple[str, float]:
        """The chosen program, and what it is claimed to score."""
        if not self.arm.final_share or budget < 2 * sum(self.costs.values()):
            row = int(np.argmax(self.estimates.means))
            return self.estimates.ids[row], float(self.estimates.means[row])
        final = begin(self.estimates, budget)
        measured: list[Measurement] = []
        while todo := Halving(final, self.table.units, measured).todo():
            measured += [self._value(each.program_id, each.unit) for each in todo]
        best = Halving(final, self.table.units, measured).standings()[0]
        return best.program_id, best.score


def search(table: Table, arm: Arm, budget: float, seed: int) -> Found:
    """One search at a total cost of ``budget``, its final included."""
    return _Search(table, arm, seed).run(budget)
