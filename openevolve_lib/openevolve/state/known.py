"""What was known when an iteration was chosen: from the first so many outcomes that counted, and no later."""

import math
from collections.abc import Sequence
from typing import Protocol

from openevolve.population.database import Database
from openevolve.records.known import Known, Room, Tried
from openevolve.records.program import Elite, Outcome, Program, standard_error_of
from openevolve.settings.models import Config

_ANCESTORS = 3  # whose children are a program's lineage, itself the first
_ELSEWHERE = 200  # outcomes that are looked at, the latest


class History(Protocol):
    """The part of a run's state that is read here."""

    config: Config
    population: Database
    programs: dict[int, Program]
    outcomes: dict[int, Outcome]
    iterations: dict[str, int]
    committed: list[int]


def known(history: History, parent: Elite, iteration: int, counted: int) -> Known:
    """For a child of ``parent``; ``counted`` is the length of the part of ``committed`` that may be used."""
    prompt = history.config.prompt
    committed = history.committed[:counted]
    line = _ancestors(history, parent.program)
    tried = [i for i in committed if i and history.programs[i].parent_ids]
    own = [i for i in reversed(tried) if history.programs[i].parent_ids[0] in line]
    lineage = [_tried(history, i) for i in own[: prompt.num_tried]]
    mine = set(own)
    others = [_tried(history, i) for i in tried[-_ELSEWHERE:] if i not in mine]
    scored = [found for found in others if found.difference is not None and not found.within_noise]
    scored.sort(key=lambda found: -abs(found.difference or 0.0))
    elsewhere = sorted(scored[: prompt.num_tried], key=lambda found: -(found.difference or 0.0))
    over = set(committed)
    under_way = [i for i in range(1, iteration) if i not in over]
    return Known(
        tuple(lineage),
        tuple(elsewhere),
        tuple((i, _being_tried(history, i)) for i in under_way),
        _rooms(history, parent, committed),
    )


def _ancestors(history: History, program: Program) -> set[str]:
    """The ids of a program and of those that it was made from, by first parents."""
    found = [program.id]
    while len(found) < _ANCESTORS and program.parent_ids:
        program = history.programs[history.iterations[program.parent_ids[0]]]
        found.append(program.id)
    return set(found)


def tried_by(history: History, iterations: Sequence[int]) -> list[Tried]:
    """What came of these, but of the initial program."""
    return [_tried(history, i) for i in iterations if i and history.programs[i].parent_ids]


def _tried(history: History, iteration: int) -> Tried:
    program, outcome = history.programs[iteration], history.outcomes[iteration]
    of = history.iterations[program.parent_ids[0]]
    if not outcome.evaluated:
        return Tried(iteration, program.changes, failure=str(outcome.failure or "rejected"), of=of)
    parent = history.outcomes[of]
    fitness = history.population.fitness
    difference = fitness(outcome.metrics) - fitness(parent.metrics)
    name = standard_error_of(history.config.database.fitness_metric)
    errors = [metrics[name] for metrics in (outcome.metrics, parent.metrics) if name in metrics]
    error = math.hypot(*errors) if len(errors) == 2 else None
    return Tried(iteration, program.changes, difference, error, of=of)


def _being_tried(history: History, iteration: int) -> str:
    """Nothing in deterministic mode: what is known by now depends on how fast others are."""
    program = history.programs.get(iteration)
    return "" if program is None or history.config.deterministic else program.changes


def _rooms(history: History, parent: Elite, committed: Sequence[int]) -> tuple[Room, ...]:
    """Empty cells beside the parent's."""
    population = history.population
    scored = [i for i in committed if history.outcomes[i].evaluated]
    axes = population.axes_for({history.programs[i].id for i in scored})  # and no later ones
    filled = {population.cell(Elite(history.programs[i], history.outcomes[i].metrics), axes) for i in scored}
    cell = population.cell(parent, axes)
    rooms = []
    for number, axis in enumerate(axes):
        for step in (-1, 1):
            place = cell[number] + step
            beside = (*cell[:number], place, *cell[number + 1 :])
            if 0 <= place < axis.bins and beside not in filled:
                low = axis.edges[place - 1] if place else None
                high = axis.edges[place] if place < len(axis.edges) else None
                rooms.append(Room(axis.name, low, high))
    return tuple(rooms)
