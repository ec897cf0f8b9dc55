"""From the names in a config to strategies that work: the one place where a run is put together."""

from openevolve.engine.iteration import Strategies
from openevolve.engine.plan import Plan
from openevolve.llm.base import Models
from openevolve.measuring.ladder import allocation_name
from openevolve.reflection.grading import build_grader
from openevolve.settings.models import Config
from openevolve.settings.registry import check_settings_used, find, settings_of


def check_strategies(config: Config) -> None:
    """Raises UserError for a name that no strategy has, and for settings that none takes."""
    used = [find(kind, name) for kind, name in _names(config)]
    check_settings_used(config, used)
    for cls in used:
        settings_of(cls, config)


def build_strategies(plan: Plan, models: Models) -> Strategies:
    """Everything that the steps of an iteration follow. Raises UserError."""
    config = plan.config
    check_strategies(config)
    proposer, reflection = find("proposer", config.proposer), find("reflection", reflection_name(config))
    parents = find("parents", config.search.parents)
    gates = {name: find("gate", name) for name in config.search.gates}
    return Strategies(
        config=config,
        parents=parents(config, settings_of(parents, config)),
        proposer=plan.proposer or proposer.build(config, settings_of(proposer, config), models),
        gates={name: gate(config, settings_of(gate, config)) for name, gate in gates.items()},
        allocation=find("allocation", allocation_name(config)),
        reflection=plan.reflection or reflection.build(config, settings_of(reflection, config), models),
        grader=build_grader(config, models),
    )


def reflection_name(config: Config) -> str:
    """As set; else a review of programs with a score where a model for it is named."""
    return config.reflection or ("review" if config.llm.evaluator_models else "none")


def _names(config: Config) -> list[tuple[str, str]]:
    return [
        ("proposer", config.proposer),
        ("parents", config.search.parents),
        ("reflection", reflection_name(config)),
        ("executor", config.executor),
        ("allocation", allocation_name(config)),
        ("population", config.search.population),
        *(("gate", name) for name in config.search.gates),
    ]
