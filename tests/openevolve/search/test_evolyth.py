"""Evolyth's formula, and ideas before it."""

import pytest

from openevolve.records.choice import Choice
from openevolve.records.idea import Idea
from openevolve.records.program import Elite, FailureKind, Outcome, Program
from openevolve.search.evolyth import Evolyth, EvolythSettings
from openevolve.settings.files import load_config
from openevolve.state.state import State
from openevolve.state.view import View
from openevolve.testing.parents import DeterministicParentsContract


class TestContract(DeterministicParentsContract):
    strategy = Evolyth


def state_of(*programs: tuple[float, float, int]) -> State:
    """Programs by score, size and generation."""
    state = State(load_config(None, ["database.tie_break_metric=size", "database.num_islands=1"]))
    for i, (score, size, generation) in enumerate(programs):
        program = Program(f"p{i}", f"x = {i}", i, 0, generation=generation)
        state.programs[i] = program
        state.population.add(Elite(program, {"combined_score": score, "size": size, "complexity": 1.0}))
    return state


def parent(state: State) -> str:
    return Evolyth(state.config, EvolythSettings()).choose(View(state, 9), 9).parent


def test_the_terms_of_the_formula() -> None:
    assert parent(state_of((0.5, 1, 0), (0.6, 1, 0))) == "p1"  # score, and the front alone
    assert parent(state_of((0.9, 9, 0), (0.8, 9, 0), (0.5, 1, 0))) == "p0"
    assert parent(state_of((0.5, 1, 3), (0.5, 1, 2))) == "p1"  # generation
    state = state_of((0.50, 1, 0), (0.52, 2, 0))  # both on the front: .011 of score against .044 of children
    assert parent(state) == "p1"
    state.choices[1] = Choice(1, 0, "p1")
    assert parent(state) == "p0"


def test_a_branch_whose_latest_child_failed_waits() -> None:
    state = state_of((0.50, 1, 0), (0.60, 2, 0))
    assert parent(state) == "p1"
    state.programs[5] = Program("p5", "", 5, 0, parent_ids=("p1",))
    state.outcomes[5] = Outcome("p5", failure=FailureKind.CRASHED)
    state.committed = [5]
    assert parent(state) == "p0"  # .2 of status against .055 of score


def test_a_queued_idea_goes_first_on_the_program_that_it_is_about() -> None:
    state = state_of((0.5, 1, 0), (0.9, 1, 0))
    for idea in (Idea("refine", "a", priority=0.2), Idea("fix", "b", priority=0.9, parent="p0")):
        state.ideas.add(idea)
    strategy = Evolyth(state.config, EvolythSettings())
    chosen = []
    for iteration in (9, 10, 11):
        choice = strategy.choose(View(state, iteration), iteration)
        state.apply({"event": "selected", "elapsed": 0.0, "choice": choice.to_json()})
        chosen.append((choice.parent, choice.rule, state.context(iteration).idea))
    assert [(p, rule, idea and idea.description) for p, rule, idea in chosen] == [
        ("p0", "idea", "b"), ("p1", "idea", "a"), ("p1", "formula", None),
    ]  # fmt: skip
    assert [state.ideas.status(key, state.outcomes) for key in state.ideas.all] == ["running", "running"]


def test_equal_words_are_one_idea() -> None:
    state = state_of((0.5, 1, 0))
    for words, source in (("Wider", "a"), ("  wider ", "a"), ("wider", "b")):
        state.ideas.add(Idea("refine", words, source=source))
    assert len(state.ideas.queued()) == 2


@pytest.mark.parametrize(("failure", "status"), [(None, "done"), (FailureKind.CRASHED, "failed")])
def test_how_an_idea_ends(failure: FailureKind | None, status: str) -> None:
    state = state_of((0.5, 1, 0))
    idea = Idea("refine", "wider")
    state.ideas.add(idea)
    state.ideas.take(idea.key, 4)
    assert state.ideas.status(idea.key, {4: Outcome("p", failure=failure)}) == status
