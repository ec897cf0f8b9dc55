"""The contract of parent strategies: inherit it and set ``strategy``."""

from typing import Any, ClassVar

import pytest

from openevolve.records.choice import Choice
from openevolve.records.program import Elite, Failure, FailureKind, Outcome, Program
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.settings.registry import settings_of
from openevolve.state.state import State
from openevolve.state.view import View


def populated(config: Config, programs: int) -> State:
    """A state whose population holds so many programs of rising score; every fifth has a failed child."""
    state = State(config)
    count = config.database.num_islands
    for i in range(programs):
        program = Program(f"p{i}", f"x = {i}\n" * (i % 7 + 1), iteration=i, island=i % count)
        state.programs[i] = program
        state.population.add(Elite(program, {"combined_score": i / 10}))
        if i % 5 == 0:
            child = Program(f"f{i}", "", iteration=1000 + i, island=i % count, parent_ids=(program.id,))
            outcome = Outcome(child.id, failure=FailureKind.CRASHED, message="half")
            state.programs[1000 + i], state.outcomes[1000 + i] = child, outcome
            state.population.add_failure(Failure(child, outcome))
    return state


class ParentStrategyContract:
    """What every run relies on."""

    strategy: ClassVar[type[Any]]
    settings: ClassVar[tuple[str, ...]] = ()  # overrides, as of --set

    def build(self, *overrides: str) -> tuple[Any, Config]:
        config = load_config(None, [*self.settings, *overrides])
        return self.strategy(config, settings_of(self.strategy, config)), config

    @pytest.mark.parametrize("programs", [1, 2, 40])
    @pytest.mark.parametrize("islands", [1, 3])
    def test_choices_can_be_shown(self, programs: int, islands: int) -> None:
        strategy, config = self.build(f"database.num_islands={islands}")
        state = populated(config, programs)
        for iteration in range(1, 60):
            choice = strategy.choose(View(state, iteration), iteration)
            shown = [choice.parent, *choice.top, *choice.inspirations]
            assert len(set(shown)) == len(shown)
            assert all(state.population.member(program_id) for program_id in shown)
            assert all(state.outcomes[failed].failure for failed in choice.failures)
            assert 0 <= choice.island < islands
            assert choice.iteration == iteration
            assert choice == Choice.from_json(choice.to_json())

    def test_equal_seeds_give_equal_choices_in_any_order(self) -> None:
        strategy, config = self.build("random_seed=5")
        again, _ = self.build("random_seed=5")
        state = populated(config, 40)
        choices = [strategy.choose(View(state, 40), i) for i in range(40, 60)]
        assert [again.choose(View(state, 40), i) for i in reversed(range(40, 60))] == choices[::-1]

    def test_another_seed_gives_other_choices(self) -> None:
        first, config = self.build("random_seed=5")
        second, _ = self.build("random_seed=6")
        state = populated(config, 40)
        parents = [[s.choose(View(state, 40), i).parent for i in range(40, 80)] for s in (first, second)]
        assert parents[0] != parents[1]

    def test_the_state_is_left_as_it_was(self) -> None:
        strategy, config = self.build()
        state, untouched = populated(config, 40), populated(config, 40)
        for iteration in range(40, 60):
            strategy.choose(View(state, iteration), iteration)
        assert [vars(island) for island in state.population.islands] == [
            vars(island) for island in untouched.population.islands
        ]
        assert state.population.best(100) == untouched.population.best(100)


class DeterministicParentsContract(ParentStrategyContract):
    """Of a strategy that draws nothing: there is one choice, whatever the seed."""

    def test_another_seed_gives_other_choices(self) -> None:
        first, config = self.build("random_seed=5")
        second, _ = self.build("random_seed=6")
        state = populated(config, 40)
        chosen = [[s.choose(View(state, 40), i).parent for i in range(40, 60)] for s in (first, second)]
        assert chosen[0] == chosen[1]
