"""Parents by what their scores are worth."""

from typing import Any

import pytest

from openevolve.records.program import Elite, Program
from openevolve.search.drawn import DrawnTopParents, PuctParents, SigmoidParents, ThompsonParents
from openevolve.settings.files import load_config
from openevolve.settings.registry import settings_of
from openevolve.state.state import State
from openevolve.state.view import View
from openevolve.testing.parents import DeterministicParentsContract, ParentStrategyContract


class TestDrawnTop(ParentStrategyContract):
    strategy = DrawnTopParents


class TestThompson(DeterministicParentsContract):
    strategy = ThompsonParents  # of scores without an error there is nothing to draw


class TestSigmoid(ParentStrategyContract):
    strategy = SigmoidParents


class TestPuct(DeterministicParentsContract):
    strategy = PuctParents


def noisy(lucky_error: float) -> tuple[State, Any]:
    """Twenty good programs, twenty poor ones, and one that claims more than all, with an error of its own."""
    config = load_config(None, ["database.num_islands=1"])
    state = State(config)
    scores = [0.9] * 20 + [0.5] * 20 + [0.95]
    for i, score in enumerate(scores):
        program = Program(f"p{i}", f"x = {i}\n", iteration=i, island=0)
        state.programs[i] = program
        error = lucky_error if i == 40 else 0.01
        state.population.add(Elite(program, {"combined_score": score, "combined_score_se": error}))
    return state, config


@pytest.mark.parametrize("cls", [DrawnTopParents, ThompsonParents])
def test_a_claim_that_is_mostly_luck_is_not_believed(cls: Any) -> None:
    def share(error: float) -> float:
        state, config = noisy(error)
        strategy = cls(config, settings_of(cls, config))
        chosen = [strategy.choose(View(state, 41), i).parent for i in range(300)]
        return chosen.count("p40") / len(chosen)

    assert share(0.01) > 2 * share(1.0)


def test_what_has_children_leaves_others_their_turn() -> None:
    state, config = noisy(0.01)
    strategy = PuctParents(config, settings_of(PuctParents, config))
    chosen = set()
    for i in range(41, 81):
        choice = strategy.choose(View(state, i), i)
        state.choices[i] = choice
        chosen.add(choice.parent)
    assert len(chosen) > 10
