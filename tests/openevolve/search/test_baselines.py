"""Parents without a search."""

from openevolve.search.baselines import Best, Initial, Latest, Random
from openevolve.settings.files import load_config
from openevolve.settings.registry import NoSettings
from openevolve.state.view import View
from openevolve.testing.parents import DeterministicParentsContract, ParentStrategyContract, populated


class TestInitial(DeterministicParentsContract):
    strategy = Initial


class TestLatest(DeterministicParentsContract):
    strategy = Latest


class TestBest(DeterministicParentsContract):
    strategy = Best


class TestRandom(ParentStrategyContract):
    strategy = Random


def test_who_is_the_parent() -> None:
    config = load_config(None, [])
    state = populated(config, 20)
    state.committed = [0, 7, 19, 3, 1000]  # the last of them failed
    view = View(state, 20)
    found = [cls(config, NoSettings()).choose(view, 20).parent for cls in (Initial, Latest, Best)]
    assert found == ["p0", "p3", "p19"]


def test_no_program_is_likelier_than_another() -> None:
    config = load_config(None, [])
    view = View(populated(config, 10), 10)
    chosen = [Random(config, NoSettings()).choose(view, i).parent for i in range(2000)]
    assert all(abs(chosen.count(f"p{i}") / 2000 - 0.1) < 0.04 for i in range(10))
