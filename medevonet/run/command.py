"""The entry point: evolve the network of seed_program.py, or continue a run.

uv run python run_evolution.py             settings of config.yaml, a language model writes programs
uv run python run_evolution.py --demo      no key, no download, no GPU, two minutes
uv run python run_evolution.py --offline   real data, programs mutated without a language model
uv run python run_evolution.py --resume    continue the latest run
"""

import argparse
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dotenv import find_dotenv, load_dotenv

from medevonet.data.dataset import load_datasets
from medevonet.run.device_trial import settle_device
from medevonet.run.folder import (
    PROJECT,
    add_session,
    create_run,
    evaluation_environment,
    find_run,
    load_settings,
    private_paths,
    write_run_info,
)
from medevonet.run.preflight import preflight
from medevonet.run.summary import closing_summary
from medevonet.task import DEMO_OVERRIDES, TaskConfig, check_protocol, settled
from openevolve.commands.display import display_for_terminal
from openevolve.commands.evolve import (
    ALLOW_UNSAFE,
    EXIT_COMPLETED,
    EXIT_USER_ERROR,
    exit_code,
    guard,
    with_isolation,
)
from openevolve.engine.run import Result, Run, execute
from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.isolation import establish
from openevolve.llm import try_language_models
from openevolve.llm.azure import choose_provider
from openevolve.proposing import Proposer
from openevolve.records.program import Elite
from openevolve.reflection.reviewer import LLMReviewer, NoReviewer, Reviewer
from openevolve.settings.files import check, public_settings, secrets_of
from openevolve.settings.models import Config

SEED_PROGRAM = PROJECT / "seed_program.py"

DEMO_RUN_OVERRIDES = (
    *DEMO_OVERRIDES,
    "proposer=offline",
    "deterministic=true",
    "proposals_ahead=2",  # so that no slot waits for the commit of a slower neighbour
    "max_iterations=24",
    "database.num_islands=1",
    "evaluator.parallel_evaluations=2",
    "evaluator.timeout=120",
)


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    config: Config
    task: TaskConfig
    resumed: Path | None  # the run directory to continue


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return guard(lambda: _main(options))


def _main(options: argparse.Namespace) -> int:
    load_dotenv(find_dotenv(usecwd=True))
    plan = make_plan(options)
    if options.check:
        check_report = preflight(plan.config, plan.task, SEED_PROGRAM, allow_unsafe=options.allow_unsafe)
        print(check_report.text)
        return EXIT_COMPLETED if check_report.ready else EXIT_USER_ERROR
    isolation = establish(
        plan.config.evaluator.isolation,
        allow_unsafe=options.allow_unsafe,
        private=private_paths(plan.task),
    )
    provider, proposer = choose_proposer(plan.config)
    try_language_models(plan.config, lambda llm: choose_provider(llm, os.environ)[1])
    load_datasets(plan.task.datasets, plan.task.size, root=plan.task.data_root, download=plan.task.download)
    gpus = plan.config.evaluator.device(slot=0)
    task, device = settle_device(plan.task, SEED_PROGRAM, isolation.level, gpus)
    settings = public_settings(plan.config) | {"task": task.model_dump(mode="json")}
    found = {"provider": provider, "device": device, "isolation": isolation.line}
    run = plan.resumed or create_run()
    secrets = secrets_of(plan.config)
    if plan.resumed is None:
        write_run_info(run, settings, found, secrets)
    print(f"run: {run}\nproposals: {provider}\ndevice: {device}, {task.precision}", flush=True)
    print(f"isolation: {isolation.line}", flush=True)
    begun = partial(add_session, run, settings, found, secrets) if plan.resumed else lambda: None
    in_force = replace(plan, config=with_isolation(plan.config, isolation.level), task=task)
    try:
        result = _evolve(in_force, run, proposer, begun)
    except RunInterrupted as error:
        raise RunInterrupted(f"{error}\n{_resume(run)}") from None
    _report(run, result)
    return exit_code(result)


def make_plan(options: argparse.Namespace) -> Plan:
    """Settings from a file or from the run to continue, with what the options change. Raises UserError."""
    overrides = [*_preset(options), *options.overrides]
    if options.seed is not None:
        overrides += [f"random_seed={options.seed}", f"task.seed={options.seed}"]
    if options.iterations is not None:
        overrides.append(f"max_iterations={options.iterations}")
    resumed = None if options.resume is None else find_run(options.resume)
    if resumed and options.config:
        raise UserError(
            f"expected --config or --resume, found both: a run goes on with its own settings, and with what "
            f"--set changes; leave out --config {options.config}"
        )
    path = resumed / "run_info.json" if resumed else options.config or PROJECT / "config.yaml"
    config = load_settings(path, overrides)
    threads = max(1, (os.cpu_count() or 1) // config.evaluator.parallel_evaluations)
    task = settled(check(TaskConfig, config.task, "task"), threads)
    if resumed:
        recorded = load_settings(resumed / "run_info.json", [])
        check_protocol(check(TaskConfig, recorded.task, "task"), task)
    return Plan(config, task, resumed)


def _preset(options: argparse.Namespace) -> tuple[str, ...]:
    if options.demo:
        return DEMO_RUN_OVERRIDES
    return ("proposer=offline",) if options.offline else ()


def choose_proposer(config: Config) -> tuple[str, Proposer]:
    """The provider's name and the proposer. Raises UserError where a key or a model is missing."""
    if config.proposer == "offline":
        from medevonet.mutation import LayerMutation

        return "offline, no language model", LayerMutation(config)
    from openevolve.proposing.llm import LLMProposer

    provider, model = choose_provider(config.llm, os.environ)
    return provider, LLMProposer(model, config)


def choose_reviewer(config: Config) -> Reviewer:
    """A reviewer where ``llm.evaluator_models`` names one. Raises UserError."""
    if not config.llm.evaluator_models:
        return NoReviewer()
    _, model = choose_provider(config.llm.reviewers(), os.environ)
    return LLMReviewer(model, config)


def _evolve(plan: Plan, run: Path, proposer: Proposer, begun: Callable[[], None]) -> Result:
    with display_for_terminal() as display:
        return execute(
            Run(
                config=plan.config,
                initial_program=SEED_PROGRAM,
                evaluator=PROJECT / "evaluator.py",
                folder=run / "openevolve",
                proposer=proposer,
                reviewer=choose_reviewer(plan.config),
                environment=evaluation_environment(plan.task, run, plan.config.evaluator.isolation),
                evaluator_isolates=True,
                begun=begun,
            ),
            display,
        )


def _report(run: Path, result: Result) -> None:
    print()
    if result.database.best():
        initial = Elite(result.history.programs[0], result.history.outcomes[0].metrics)
        print(closing_summary(run, result, initial))
        best, settings = run / "openevolve/best/best_program.py", run / "run_info.json"
        print(f"evaluate: uv run python train.py {_shell(best)} --config {_shell(settings)}")
    else:
        print(f"---\nstatus: {result.reason}\niterations: 0\nrun: {run}")
    print(_resume(run))


def _resume(run: Path) -> str:
    return f"resume: uv run python run_evolution.py --resume {_shell(run)}"


def _shell(path: Path) -> str:
    return shlex.quote(str(path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, help="YAML settings (config.yaml)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--demo", action="store_true", help="synthetic data, offline proposals, two CPU cores")
    mode.add_argument("--offline", action="store_true", help="propose without a language model")
    parser.add_argument("--iterations", type=int, metavar="N", help="programs to propose after the seed")
    parser.add_argument("--resume", nargs="?", const="latest", metavar="RUN", help="continue a run (latest)")
    parser.add_argument("--seed", type=int, help="random_seed of the search and task.seed of training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    parser.add_argument("--check", action="store_true", help="show what a run would do; touch nothing")
    return parser
