"""Strategies by name: found where they live, and answered with the nearest where there is none."""

import pytest

from openevolve.engine.assembly import check_strategies
from openevolve.errors import UserError
from openevolve.search.explore_exploit import ExploreExploit
from openevolve.settings.files import load_config
from openevolve.settings.models import Section
from openevolve.settings.registry import ROOMS, find, names, settings_of, strategy


@strategy("parents", "always-best")
class AlwaysBest:
    """A strategy of another package."""

    class Settings(Section):
        rank: int = 0


@pytest.mark.parametrize("kind", ROOMS)
def test_every_built_in_is_found_by_its_name(kind: str) -> None:
    for name in names(kind):
        assert find(kind, name).strategy_name == name


def test_what_the_engine_has() -> None:
    assert find("parents", "explore-exploit") is ExploreExploit
    assert {"llm", "offline"} <= set(names("proposer"))
    assert {"duplicate", "similarity"} <= set(names("gate"))


def test_another_package_offers_its_own_by_an_entry_point() -> None:
    assert find("proposer", "layers").__module__ == "medevonet.mutation.proposer"


def test_an_unknown_allocation_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"allocation: expected one of full, ladder, .*found 'fuII'.* full"):
        check_strategies(load_config(None, ["fidelity=fuII"]))


def test_any_class_can_be_named() -> None:
    assert find("parents", f"{__name__}:AlwaysBest") is AlwaysBest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lmm", r"proposer: expected one of .*llm.*, found 'lmm'; the nearest known one is llm"),
        ("no_such_module:Class", "expected a class that can be imported, found no_such_module:Class"),
        ("math:pi", "expected a class, found math:pi, which is a float"),
    ],
)
def test_an_unknown_name_is_one_clear_error(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_strategies(load_config(None, [f"proposer={name}"]))


def test_settings_of_a_strategy_are_checked_like_all_others() -> None:
    config = load_config(None, ["strategies.always-best.rank=2"])
    assert settings_of(AlwaysBest, config).rank == 2
    wrong = load_config(None, ["strategies.always-best.rnak=2"])
    with pytest.raises(UserError, match=r"strategies.always-best: unknown key rnak; .* rank"):
        settings_of(AlwaysBest, wrong)


def test_settings_that_no_strategy_of_the_run_takes_are_refused() -> None:
    config = load_config(None, ["strategies.weighted.pressure=2"])
    with pytest.raises(UserError, match=r"strategies.weighted: expected settings of a strategy"):
        check_strategies(config)
