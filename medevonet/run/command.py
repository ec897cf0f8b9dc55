"""The entry point: evolve the network of seed_program.py, or continue a run.

uv run python run_evolution.py             settings of config.yaml, a language model writes programs
uv run python run_evolution.py --demo      no key, no download, no GPU, two minutes
uv run python run_evolution.py --offline   real data, programs mutated without a language model
uv run python run_evolution.py --resume    continue the latest run
uv run python run_evolution.py worker RUN  train for a run with executor=workers
"""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dotenv import find_dotenv, load_dotenv

from medevonet.data.dataset import load_datasets
from medevonet.run.device_trial import settle_device
from medevonet.run.environment import evaluation_environment, isolation_for
from medevonet.run.facts import with_facts
from medevonet.run.folder import PROJECT, RUNS, check_writable, create_at, create_run, find_run, new_folder
from medevonet.run.info import add_session, write_run_info
from medevonet.run.preflight import preflight
from medevonet.run.settings import CONFIG, check_protocol, load_settings, task_of
from medevonet.run.summary import closing_summary
from medevonet.run.worker import COMMAND as WORKER
from medevonet.run.worker import settle_elsewhere
from medevonet.task import DEMO_NAMES, DEMO_OVERRIDES, TaskConfig, settled
from openevolve.commands.display import display_for_terminal
from openevolve.commands.evolve import (
    ALLOW_UNSAFE,
    REPLAY,
    compared,
    exit_code,
    guard,
    with_isolation,
)
from openevolve.commands.exits import EXIT_COMPLETED, EXIT_USER_ERROR
from openevolve.commands.hints import python, typed_here
from openevolve.engine.finished import nothing_to_do
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.cores import available_cores
from openevolve.inspect.reading import find_journal
from openevolve.inspect.report import leave_report
from openevolve.llm import try_language_models
from openevolve.llm.provider import choose_provider, models_of_environment
from openevolve.llm.replay import RecordedRun
from openevolve.llm.settings import asks_models, without_models
from openevolve.settings.files import public_settings, secrets_of
from openevolve.settings.layers import Override, by_source
from openevolve.settings.models import Config
from openevolve.settings.registry import find

SEED_PROGRAM = PROJECT / "seed_program.py"

DEMO_RUN_OVERRIDES = (
    *DEMO_OVERRIDES,
    "proposer=layers",
    "deterministic=true",
    "proposals_ahead=2",  # so that no slot waits for the commit of a slower neighbour
    "max_iterations=16",
    "database.num_islands=1",
    "evaluator.parallel_evaluations=2",
    "evaluator.timeout=3600",
)


@dataclass(frozen=True)
class Setup:
    """What the command line asks for."""

    config: Config
    task: TaskConfig
    resumed: Path | None  # the run directory to continue
    folder: Path | None = None  # of a new run; None: one is named by the time


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["confirm"]:
        from medevonet.run.confirm import main as confirm

        return confirm(given[1:])
    if given[:1] == ["export"]:
        from medevonet.run.export import main as export

        return export(given[1:])
    if given[:1] == ["new"]:
        from openevolve.commands.new_problem import main as new_problem

        return new_problem(given[1:])
    if given[:1] == ["worker"]:
        from medevonet.run.worker import main as worker

        return worker(given[1:])
    options = parser().parse_args(given)
    return guard(lambda: _main(options))


def _main(options: argparse.Namespace) -> int:
    load_dotenv(find_dotenv(usecwd=True))
    setup = make_setup(options)
    if options.check:
        check_report = preflight(setup.config, setup.task, SEED_PROGRAM, allow_unsafe=options.allow_unsafe)
        print(check_report.text)
        return EXIT_COMPLETED if check_report.ready else EXIT_USER_ERROR
    if setup.resumed and (said := nothing_to_do(setup.resumed / "openevolve/journal.jsonl", setup.config)):
        print(said)
        return EXIT_COMPLETED
    recorded = RecordedRun(find_journal(options.replay)) if options.replay else None
    run, result = conduct(setup, allow_unsafe=options.allow_unsafe, recorded=recorded)
    _report(run, result)
    if recorded:
        print(f"replayed: {recorded.tally()}")
        print(compared(run / "openevolve/journal.jsonl", find_journal(options.replay)))
    return exit_code(result)


def conduct(
    setup: Setup,
    *,
    allow_unsafe: bool = False,
    recorded: RecordedRun | None = None,
    program: Path = SEED_PROGRAM,
    began: Callable[[Path], None] = lambda run: None,
) -> tuple[Path, Result]:
    """A whole run, from walls to the end; the run's folder, which ``began`` is told of too.

    Raises UserError, and RunInterrupted where it can be resumed.
    """
    if setup.resumed is None:
        check_writable(setup.folder or RUNS)
    place = setup.resumed or setup.folder
    isolation = isolation_for(
        setup.task,
        setup.config.evaluator.isolation,
        allow_unsafe=allow_unsafe,
        private={place: "choose another --output"} if place else {},
    )
    provider = recorded.description if recorded else provider_of(setup.config)
    if recorded is None:
        try_language_models(setup.config, models_of_environment)
    load_datasets(
        setup.task.datasets, setup.task.size, root=setup.task.data_root, download=setup.task.download
    )
    if getattr(find("executor", setup.config.executor), "elsewhere", False):
        task, device = settle_elsewhere(setup.task)
    else:
        gpus = setup.config.evaluator.device(slot=0)
        task, device = settle_device(setup.task, program, isolation.level, gpus)
    settings = public_settings(setup.config) | {"task": task.model_dump(mode="json")}
    found = {
        "provider": provider,
        "device": device,
        "isolation": isolation.line,
        "sources": by_source(setup.config.origins),
    }
    run = setup.resumed or (create_at(setup.folder) if setup.folder else create_run())
    secrets = secrets_of(setup.config)
    if setup.resumed is None:
        write_run_info(run, settings, found, secrets)
    began(run)
    print(f"run: {run}\nproposals: {provider}\ndevice: {device}, {task.precision}", flush=True)
    for line in (*map("note: {}".format, setup.config.notes), f"isolation: {isolation.line}"):
        print(line, flush=True)
    begun = partial(add_session, run, settings, found, secrets) if setup.resumed else lambda: None
    in_force = replace(setup, config=with_isolation(setup.config, isolation.level), task=task)
    try:
        return run, _evolve(in_force, run, begun, recorded, program)
    except RunInterrupted as error:
        raise RunInterrupted(f"{error}\n{_resume(run)}") from None


def make_setup(options: argparse.Namespace) -> Setup:
    """Settings from a file or from the run to continue, with what the options change. Raises UserError."""
    resumed = None if options.resume is None else find_run(options.resume)
    given = options.config or options.config_only
    if resumed and given:
        raise UserError(
            f"expected --config or --resume, found both: a run goes on with its own settings, and with what "
            f"--set changes; leave out {given}"
        )
    if resumed and (options.name or options.output):
        raise UserError("expected --resume, or a --name or --output of a new run, found both")
    folder = new_folder(options.name, options.output)
    path = resumed / "run_info.json" if resumed else given
    if resumed and options.demo:
        _check_that_it_is_a_demo(resumed)
    config = load_settings(path, _overrides(options), below=None if options.config_only else CONFIG)
    threads = max(1, available_cores() // config.evaluator.parallel_evaluations)
    task = settled(task_of(config), threads)
    if resumed:
        check_protocol(task_of(load_settings(resumed / "run_info.json", [])), task)
    return Setup(with_facts(config, task), task, resumed, folder)


def _check_that_it_is_a_demo(run: Path) -> None:
    """Raises UserError."""
    datasets = task_of(load_settings(run / "run_info.json", [])).datasets
    if not set(map(str, datasets)) <= {*DEMO_NAMES}:
        raise UserError(
            f"--resume --demo: expected a run of the demo, found one on other data: {run}. Leave out --demo"
        )


def _overrides(options: argparse.Namespace) -> list[str | Override]:
    """What options set, the strongest last."""
    found: list[str | Override] = []
    if options.demo and options.resume is None:  # a run that goes on has the settings that it began with
        found += [Override(setting, "--demo") for setting in DEMO_RUN_OVERRIDES]
    if options.offline:
        found.append(Override("proposer=layers", "--offline"))
    found += options.overrides
    if options.seed is not None:
        found += [Override(f"{key}={options.seed}", "--seed") for key in ("random_seed", "task.seed")]
    if options.iterations is not None:
        found.append(Override(f"max_iterations={options.iterations}", "--iterations"))
    return found


def provider_of(config: Config) -> str:
    """Who writes proposals, in words. Raises UserError where a key or a model is missing."""
    if not asks_models(config):
        return without_models(config)
    return choose_provider(config.llm, os.environ)[0]


def _evolve(
    setup: Setup, run: Path, begun: Callable[[], None], recorded: RecordedRun | None, program: Path
) -> Result:
    journal = run / "openevolve/journal.jsonl"
    with display_for_terminal() as display:
        return execute(
            Plan(
                config=setup.config,
                initial_program=program,
                evaluator=PROJECT / "evaluator.py",
                folder=run / "openevolve",
                models=recorded.models(journal) if recorded else models_of_environment,
                environment=evaluation_environment(setup.task, run, setup.config.evaluator.isolation),
                evaluator_isolates=True,
                worker=WORKER,
                prepare="medevonet.run.worker:prepare",
                begun=begun,
            ),
            display,
        )


def _report(run: Path, result: Result) -> None:
    print()
    if result.state.population.best():
        initial = result.state.scored(0)
        print(closing_summary(run, result, initial))
        best, settings = run / "openevolve/best/best_program.py", run / "run_info.json"
        print(f"evaluate: {python()} train.py {_shell(best)} --config {_shell(settings)}")
    else:
        print(f"---\nstatus: {result.reason}\niterations: 0\nrun: {run}")
    print(leave_report(run))
    print(_resume(run))


def _resume(run: Path) -> str:
    return f"resume: {python()} run_evolution.py --resume {_shell(run)}"


def _shell(path: Path) -> str:
    return shlex.quote(str(path))


def parser() -> argparse.ArgumentParser:
    """Of the command line; its defaults are those of ``medevonet.search`` too."""
    parser = argparse.ArgumentParser(
        description=typed_here(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument("--config", type=Path, metavar="FILE", help="YAML settings over config.yaml")
    settings.add_argument("--config-only", type=Path, metavar="FILE", help="YAML settings over nothing")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--demo", action="store_true", help="synthetic data, offline proposals, two CPU cores")
    mode.add_argument("--offline", action="store_true", help="propose without a language model")
    parser.add_argument("--iterations", type=int, metavar="N", help="programs to propose after the seed")
    parser.add_argument("--resume", nargs="?", const="latest", metavar="RUN", help="continue a run (latest)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--name", help="of a new run: runs/mnist/NAME; all are listed by: openevolve runs")
    place.add_argument("--output", type=Path, metavar="DIR", help="the folder of a new run")
    parser.add_argument("--seed", type=int, help="random_seed of the search and task.seed of training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--replay", metavar="RUN", help=REPLAY)
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    parser.add_argument("--check", action="store_true", help="show what a run would do; touch nothing")
    return parser
