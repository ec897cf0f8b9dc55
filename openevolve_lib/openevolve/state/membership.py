"""Who is in the population, and what counts of them, as more is measured."""

from dataclasses import replace
from typing import TYPE_CHECKING

from openevolve.records.program import Elite, Outcome, Program

if TYPE_CHECKING:
    from openevolve.state.state import State


def join(state: "State", program: Program, outcome: Outcome) -> None:
    """A program becomes a member of the population."""
    elite = Elite(program, outcome.metrics, outcome.artifacts)
    state.population.add(elite, state.measurements.fitness(program.id))
    state.note_member(program)


def take_up(state: "State", iteration: int) -> None:
    """A program that had been set aside joins the others, once it was measured on all units."""
    program, outcome = state.programs[iteration], state.outcomes[iteration]
    if not outcome.rejected or not state.measurements.measured_in_full(program.id):
        return
    found = state.measurements.metrics(program.id, state.population.config.fitness_metric)
    outcome = replace(outcome, metrics={**outcome.metrics, **found}, message="", rung=0)
    state.outcomes[iteration] = outcome
    state.rejected, state.full = state.rejected - 1, state.full + 1
    join(state, program, outcome)


def revalue(state: "State") -> None:
    """What is known of all has changed, and with it who is best."""
    population, measurements = state.population, state.measurements
    members = (elite.id for elite in population.best(len(population)))
    estimates = {name: measurements.fitness(name) for name in members}
    population.revalue({name: value for name, value in estimates.items() if value is not None})
