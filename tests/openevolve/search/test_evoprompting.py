"""EvoPrompting's parents: the fittest by size and error, once each, in rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.records.program import Elite, Program
from openevolve.search.evoprompting import EvoPrompting, EvoPromptingSettings, Objective
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.state.state import State
from openevolve.state.view import View
from openevolve.testing.parents import ParentStrategyContract

SIZED = ["database.tie_break_metric=size", "database.num_islands=1"]


class TestContract(ParentStrategyContract):
    strategy = EvoPrompting
    settings = ("strategies.evoprompting={samples: 2, prompts: 2, max_error: 9}",)


def state_of(points: list[tuple[float, float]], config: Config) -> State:
    state = State(config)
    for i, (size, score) in enumerate(points):
        program = Program(f"p{i}", f"x = {i}", i, 0)
        state.programs[i] = program
        state.population.add(Elite(program, {"combined_score": score, "size": size, "complexity": 1.0}))
    return state


def chosen(state: State, settings: EvoPromptingSettings, iterations: int) -> list[tuple[str, ...]]:
    """Choices in turn, each of which the next one knows; nothing is measured meanwhile."""
    strategy = EvoPrompting(state.config, settings)
    for i in range(100, 100 + iterations):
        state.choices[i] = strategy.choose(View(state, i), i)
    found = [state.choices[i] for i in range(100, 100 + iterations)]
    return [(choice.parent, *choice.inspirations) for choice in found]


def test_the_objective_is_the_papers() -> None:
    config = load_config(None, SIZED)
    state = state_of([(1000.0, 0.9)], config)
    objective = Objective(config, EvoPromptingSettings())
    assert objective.value(state.population, state.population.member("p0")) == pytest.approx(-100.0)


def test_the_fittest_are_drawn_and_leave_when_they_have_been() -> None:
    points = [(100.0 * (i + 1), 0.8) for i in range(8)]  # equal errors: the smaller the fitter
    settings = EvoPromptingSettings(parents=2, fittest=2, prompts=1, samples=1)
    state = state_of(points, load_config(None, SIZED))
    found = chosen(state, settings, 4)
    assert found == [("p0", "p1"), ("p2", "p3"), ("p4", "p5"), ("p6", "p7")]
    assert {choice.rule for choice in state.choices.values()} == {"fittest"}


def test_those_with_too_large_an_error_are_no_parents() -> None:
    state = state_of([(100.0, 0.8), (1.0, 0.4), (200.0, 0.8)], load_config(None, SIZED))
    found = chosen(state, EvoPromptingSettings(prompts=1, samples=1), 6)
    assert {name for names in found for name in names} == {"p0", "p2"}
    assert [choice.rule for choice in state.choices.values()] == ["fittest", *["again"] * 5]


def test_samples_share_a_prompt() -> None:
    state = state_of([(100.0 * (i + 1), 0.8) for i in range(30)], load_config(None, SIZED))
    found = chosen(state, EvoPromptingSettings(samples=3, prompts=100), 9)  # 100 is the first of a prompt
    assert found[0] == found[1] == found[2] != found[3] == found[4] == found[5] != found[6]


def test_a_round_draws_from_what_was_there_when_it_began() -> None:
    config = load_config(None, SIZED)
    state = state_of([(100.0, 0.8), (200.0, 0.8)], config)
    program = Program("late", "x = 9", 101, 0)
    state.population.add(
        Elite(program, {"combined_score": 0.99, "size": 1.0, "complexity": 1.0})
    )  # the fittest of all
    strategy = EvoPrompting(config, EvoPromptingSettings(prompts=10, samples=10))
    within, after = (strategy.choose(View(state, i), i) for i in (101, 201))
    assert "late" not in (within.parent, *within.inspirations)
    assert after.parent == "late"


@given(st.lists(st.tuples(st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from([0.1, 0.7, 0.9])), min_size=1))
def test_there_are_always_parents(points: list[tuple[float, float]]) -> None:
    state = state_of(points, load_config(None, SIZED))
    for names in chosen(state, EvoPromptingSettings(prompts=2, samples=2), 12):
        assert 1 <= len(names) == len(set(names)) <= 2
        assert all(state.population.member(name) for name in names)
