"""A search on a table by the engine itself: its controller, journal, population, estimates and final.

A program is a line of text that holds its number in the table; a proposal is a small change of the parent's,
and a measurement is looked up. Everything else is what a run does.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.tables import Table
from openevolve.engine.assembly import build_strategies
from openevolve.engine.controller import Controller
from openevolve.engine.final import FinalStage
from openevolve.engine.iteration import Steps
from openevolve.engine.looks import FurtherLooks, Looker
from openevolve.engine.plan import Plan
from openevolve.engine.recorder import Recorder
from openevolve.evaluating.channel import Decide
from openevolve.evaluating.executor import Look, unheard
from openevolve.proposing.desk import Desk
from openevolve.records.measurement import Unit
from openevolve.records.program import Context, Outcome, Program, Proposal
from openevolve.reflection.reviewer import NoReflection
from openevolve.search.final import best_of, scores_of_best
from openevolve.search.stopping import Stopping
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.state.journal import Event, Journal
from openevolve.state.random import random_source
from openevolve.state.state import State

_TRIES = 50  # at a new program from one parent; then any program that is not known
_MARKS = 20  # of the anytime curve


@dataclass(frozen=True)
class Arm:
    """Settings of a run, as of ``--set``. ``independent``: proposals owe nothing to a parent."""

    name: str
    settings: tuple[str, ...] = ()
    independent: bool = False


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    regret: float  # of the chosen program, against the best of the table
    excess: float  # its claimed score less its true one
    curve: tuple[float, ...]  # regret of the best so far after 1/20, 2/20 ... of the search's cost
    programs: int
    cost: float  # the final included

    @property
    def area(self) -> float:
        """Under the anytime curve: mean regret over the budget."""
        return float(np.mean(self.curve))


def code_of(number: int) -> str:
    return f"PROGRAM = {number}\n"


def number_of(code: str) -> int:
    found = re.fullmatch(r"PROGRAM = (\d+)\n", code)
    assert found, code
    return int(found[1])


class TableExecutor:
    """Looks measurements up."""

    slots = 1

    def __init__(self, table: Table, seed: int) -> None:
        self._table = table
        self._seed = seed

    def _value(self, program: Program, unit: int, repeat: int) -> float:
        return self._table.value(self._seed, number_of(program.code), unit, repeat)

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        started()
        values = {
            unit.name: [self._value(program, column, repeat) for repeat in range(unit.repeats)]
            for column, unit in enumerate(self._table.units)
        }
        means = {name: float(np.mean(found)) for name, found in values.items()}
        metrics = {"combined_score": float(np.mean(list(means.values()))), **means}
        metrics["cell"] = float(self._table.cells[number_of(program.code)])
        return Outcome(program.id, metrics, measurements=values)

    async def look(self, program: Program, look: Look, started: Callable[[], None] = unheard) -> Outcome:
        started()
        column = [unit.name for unit in self._table.units].index(look.unit)
        return Outcome(program.id, {"combined_score": self._value(program, column, look.repeat)})

    async def offered(self, program: Program) -> tuple[Unit, ...]:
        return self._table.units

    def close(self) -> None:
        """Nothing is held open."""


class TableProposer:
    """A small change of the parent that is not known yet: a copy would be refused before it is measured."""

    def __init__(self, table: Table, independent: bool) -> None:
        self._space = table.space
        self._independent = independent

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        parent, rng = number_of(context.parent.program.code), context.rng
        for attempt in range(10_000):
            new = self._independent or attempt >= _TRIES
            number = self._space.independent(rng) if new else self._space.child(parent, rng)
            proposal = Proposal(code_of(number), "table")
            if desk.refusal(proposal) is None:
                return proposal
        return Proposal(None, "table", problem="expected a program that is not known, found none")


class Curve:
    """How good the best by value is as the search goes on."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.points: list[tuple[float, float]] = []  # cost, regret

    def observe(self, event: Event, state: State) -> None:
        further = event["event"] == "looked" and state.final is None
        if (event["event"] == "committed" or further) and (best := state.population.best()):
            regret = self._table.best() - self._table.fitness(number_of(best[0].program.code))
            self.points.append((spent(self._table, state), regret))

    def marks(self) -> tuple[float, ...]:
        costs = np.array([cost for cost, _ in self.points])
        places = np.searchsorted(costs, costs[-1] * np.arange(1, _MARKS + 1) / _MARKS, side="right") - 1
        return tuple(self.points[max(0, place)][1] for place in places)


def spent(table: Table, state: State) -> float:
    """On the search, in the units' cost; the final is not in it."""
    in_full = sum(unit.cost * unit.repeats for unit in table.units)
    return state.full * in_full + state.measurements.further


def settings_of(table: Table, arm: Arm, budget: float, seed: int) -> Config:
    """So many programs that search and final cost the budget."""
    cells = int(table.cells.max()) + 1
    fixed = [
        f"random_seed={seed}",
        "deterministic=true",
        "lag=0",
        "checkpoint_interval=1000000",
        f"features={{cell: {{low: -0.5, high: {cells - 0.5}, count: {cells}}}}}",
        "database.population_size=1000000",
        "database.num_islands=1",
        "search.gates=[duplicate]",
        *arm.settings,
    ]
    config = load_config(None, fixed)
    full = sum(unit.cost * unit.repeats for unit in table.units)
    for_programs = budget / (1 + config.final_share) * (1 - config.further_share)
    return load_config(None, [*fixed, f"max_iterations={int(for_programs / full) - 1}"])


def search(table: Table, arm: Arm, budget: float, seed: int) -> Found:
    """One search at a total cost of ``budget``, its final included."""
    return _found(table, *run(table, arm, budget, seed))


def run(table: Table, arm: Arm, budget: float, seed: int) -> "tuple[State, Curve]":
    """The same search, and all that is known at its end."""
    config = settings_of(table, arm, budget, seed)
    initial = code_of(table.space.initial(random_source(seed, 0, "initial")))
    curve = Curve(table)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.jsonl") as journal:
        state, executor = State(config), TableExecutor(table, seed)
        record = Recorder(journal, state, [curve])
        unused: Any = Path(folder)
        plan = Plan(
            config, unused, unused, unused,
            proposer=TableProposer(table, arm.independent), reflection=NoReflection(),
        )  # fmt: skip
        steps = Steps(initial, build_strategies(plan, plan.models), executor, state, record)
        looker, stopping = Looker(executor, state, record), Stopping(config, state)
        looks = FurtherLooks(config, looker, state, record, steps.allocation)
        final = FinalStage(config, looker, state, record, stopping)
        controller = Controller(config, steps, executor, state, record, stopping, looks, final)
        asyncio.run(controller.run(initial))
    return state, curve


def _found(table: Table, state: State, curve: Curve) -> Found:
    best = best_of(state)
    assert best is not None
    claim = scores_of_best(state).get("final", state.population.value(best))
    truth = table.fitness(number_of(best.program.code))
    cost = spent(table, state) + sum(look.cost for look in state.looks)
    return Found(table.best() - truth, claim - truth, curve.marks(), state.full, cost)
