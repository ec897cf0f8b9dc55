"""Guided Evolution's parents: tournaments on two objectives, mating in both directions."""

import pytest

from openevolve.records.program import Elite, Program
from openevolve.search.guided_evolution import (
    CREATE,
    MATE,
    MATE_BACK,
    ROLE,
    THOUGHT,
    GuidedEvolution,
    GuidedEvolutionSettings,
)
from openevolve.settings.files import load_config
from openevolve.state.state import State
from openevolve.state.view import View
from openevolve.testing.parents import ParentStrategyContract


class TestContract(ParentStrategyContract):
    strategy = GuidedEvolution
    settings = ("strategies.guided-evolution.start=4",)


def lived(iterations: int, **settings: float) -> State:
    """Choices in turn where larger programs score higher, but for p9, which is dominated."""
    config = load_config(None, ["database.tie_break_metric=size", "database.num_islands=1"])
    state = State(config)
    for i in range(10):
        score, size = (0.1, 99.0) if i == 9 else (i / 10, float(i))
        metrics = {"combined_score": score, "size": size, "complexity": 1.0}
        state.population.add(Elite(Program(f"p{i}", f"x = {i}", i, 0), metrics))
    strategy = GuidedEvolution(config, GuidedEvolutionSettings(start=3, **settings))  # type: ignore[arg-type]
    for i in range(1, iterations + 1):
        state.choices[i] = strategy.choose(View(state, i), i)
    return state


def test_it_starts_from_the_initial_program() -> None:
    choices = lived(4).choices
    assert [(choices[i].parent, choices[i].operator) for i in (1, 2, 3)] == [("p0", CREATE)] * 3
    assert choices[4].operator != CREATE


def test_two_programs_mate_in_both_directions() -> None:
    choices = lived(300, crossover=1.0, mutation=0.0).choices
    pairs = [(choices[i], choices[i + 1]) for i in range(4, 300) if choices[i].operator == MATE]
    assert len(pairs) > 50
    for there, back in pairs:
        assert back.operator == MATE_BACK
        assert (back.parent, back.inspirations) == (there.inspirations[0], (there.parent,))


def test_the_rates_are_kept() -> None:
    operators = [choice.operator for choice in lived(3000).choices.values()][3:]
    fresh = [operator for operator in operators if operator != MATE_BACK]
    mates = 0.35 / 1.15 * 0.9  # a tenth of the pairs are one program twice
    assert abs(fresh.count(MATE) / len(fresh) - mates) < 0.03
    assert fresh.count(THOUGHT) / (fresh.count(THOUGHT) + fresh.count(ROLE)) == pytest.approx(0.25, abs=0.03)


def test_what_is_dominated_is_a_parent_less_often_and_never_among_few_survivors() -> None:
    many = [choice.parent for choice in lived(1000).choices.values()]
    assert many.count("p9") < min(many.count(f"p{i}") for i in range(9)) / 2
    few = [choice.parent for choice in lived(300, survivors=9).choices.values()]
    assert "p9" not in few


def test_a_thought_comes_from_an_elite() -> None:
    thoughts = [c for c in lived(500, elites=5).choices.values() if c.operator == THOUGHT]
    elites = {c.inspirations[0] for c in thoughts}
    assert 2 < len(elites) <= 5
    assert not elites & {"p0", "p9"}
