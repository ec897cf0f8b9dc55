"""Evolve any program that an evaluator can score.

openevolve-run initial_program.py evaluator.py -c config.yaml -i 100
openevolve-run initial_program.py evaluator.py -i 20 --offline    no language model
openevolve-run initial_program.py evaluator.py --set evaluator.timeout=60
openevolve-run --problem DIR -i 20      model.py, train_eval.py and goal_prompt.md of a folder
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from openevolve.commands.display import display_for_terminal
from openevolve.commands.exits import EXIT_COMPLETED, EXIT_INTERRUPTED, EXIT_STOPPED_EARLY, EXIT_USER_ERROR
from openevolve.commands.lasting_streams import lasting_output
from openevolve.commands.research_problem import ResearchProblem
from openevolve.engine.finished import nothing_to_do
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute, read_program
from openevolve.engine.signals import ended_by_signals
from openevolve.engine.threads import without_loop
from openevolve.engine.upstream_checkpoint import begin_from, is_upstreams
from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.isolation import Level, establish
from openevolve.inspect.reading import find_journal
from openevolve.inspect.report import leave_report
from openevolve.llm import try_language_models
from openevolve.llm.provider import models_of_environment
from openevolve.llm.replay import RecordedRun
from openevolve.search.final import best_of, scores_of_best
from openevolve.settings.files import load_config
from openevolve.settings.languages import with_language_of
from openevolve.settings.layers import Override
from openevolve.settings.models import Config, LogLevel
from openevolve.state.comparing import same_search
from openevolve.state.journal import read_journal
from openevolve.state.replay import replay

log = logging.getLogger("openevolve")

REPLAY = "no language model: a run's recorded replies, also under other settings"
ALLOW_UNSAFE = "run programs without walls where this machine gives none"

_RESUME = "resume: run the same command again"


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with 0 only if every iteration asked for was done."""
    options = _parser().parse_args(arguments)
    sys.exit(guard(lambda: _run(options)))


def guard(command: Callable[[], int]) -> int:
    """Run a command; a user's mistake is printed without a traceback."""
    with lasting_output():
        try:
            with ended_by_signals():
                return without_loop(command, _say_how_to_stop)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_STOPPED_EARLY if isinstance(error, RunInterrupted) else EXIT_USER_ERROR
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED


def _say_how_to_stop() -> None:
    """Under an event loop, such as a notebook's, a run hears no Ctrl-C."""
    print("the run goes on; to stop it: openevolve ctl RUN stop", file=sys.stderr)


def exit_code(result: Result) -> int:
    """Fewer iterations than asked for are never a success."""
    if result.completed:
        return EXIT_COMPLETED
    return EXIT_INTERRUPTED if result.reason == "interrupted" else EXIT_STOPPED_EARLY


def compared(journal: Path, origin: Path) -> str:
    """A line on whether a replay is the search that it replays."""
    equal, differs = same_search(journal, origin)
    if differs:
        return f"compared: {equal} events equal, the first that differs is {differs}"
    return f"compared: all {equal} events equal, but for times and devices"


def with_isolation(config: Config, level: Level) -> Config:
    """The config with the level that is in force."""
    evaluator = config.evaluator.model_copy(update={"isolation": level})
    return config.model_copy(update={"evaluator": evaluator})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="openevolve-run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("initial_program", type=Path, nargs="?")
    parser.add_argument("evaluation_file", type=Path, nargs="?", help="defines evaluate(program_path)")
    parser.add_argument("--problem", type=Path, metavar="DIR", help="a research problem, in their place")
    parser.add_argument("-c", "--config", type=Path, help="YAML settings")
    parser.add_argument("-o", "--output", type=Path, help="the run's folder; a run in it is continued")
    parser.add_argument("-i", "--iterations", type=int, help="max_iterations")
    parser.add_argument(
        "--checkpoint", type=Path, help="go on from it, for ITERATIONS more; OpenEvolve's too"
    )
    parser.add_argument("--api-base", metavar="URL", help="address of the server of every language model")
    parser.add_argument("--primary-model", metavar="NAME", help="the model to ask, in place of the config's")
    parser.add_argument("--secondary-model", metavar="NAME", help="a second model, asked less often")
    parser.add_argument("-t", "--target-score", type=float, help="target_score: reached, the run is done")
    parser.add_argument("-l", "--log-level", choices=get_args(LogLevel), help="log_level")
    parser.add_argument("--offline", action="store_true", help="mutate without a language model")
    parser.add_argument("--replay", metavar="RUN", help=REPLAY)
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser


def _run(options: argparse.Namespace) -> int:
    problem = _problem(options)
    folder = _output_folder(options)
    config = _config(options, _overrides(options))
    if options.checkpoint is not None:
        config = _config(options, [*_overrides(options), *_more(options, folder, config)])
    isolation = establish(config.evaluator.isolation, allow_unsafe=options.allow_unsafe, processes=True)
    config = with_isolation(config, isolation.level)
    _check_that_it_began_with(read_program(options.initial_program), folder, options)
    if said := nothing_to_do(folder / "journal.jsonl", config):
        print(said)
        return EXIT_COMPLETED
    recorded = RecordedRun(find_journal(options.replay)) if options.replay else None
    if recorded is None:
        try_language_models(config, models_of_environment)
    plan = Plan(
        config=config,
        initial_program=options.initial_program,
        evaluator=options.evaluation_file,
        folder=folder,
        models=recorded.models(folder / "journal.jsonl") if recorded else models_of_environment,
        environment=problem.environment(config) if problem else {},
        beside=(problem.folder,) if problem else (),
        begun=lambda: _announce(*(f"note: {note}" for note in config.notes), f"isolation: {isolation.line}"),
    )
    try:
        with display_for_terminal() as display:
            result = execute(plan, display)
    except RunInterrupted as error:
        raise RunInterrupted(f"{error}\n{_RESUME}") from None
    _report(plan, result)
    if recorded:
        print(f"replayed: {recorded.tally()} of {recorded.description}")
        print(compared(folder / "journal.jsonl", find_journal(options.replay)))
    return exit_code(result)


def _problem(options: argparse.Namespace) -> ResearchProblem | None:
    """That of ``--problem``, whose files take the place of the arguments. Raises UserError."""
    given = [path for path in (options.initial_program, options.evaluation_file) if path is not None]
    if options.problem is None:
        if len(given) < 2:
            raise UserError(
                "expected INITIAL_PROGRAM and EVALUATION_FILE, or --problem DIR, found "
                f"{given[0] if given else 'neither'}"
            )
        return None
    if given:
        raise UserError(f"--problem: expected no other program or evaluator, found {given[0]}; leave it out")
    problem = ResearchProblem(options.problem)
    options.initial_program, options.evaluation_file = problem.program, problem.evaluator
    options.config = options.config or problem.config
    return problem


def _config(options: argparse.Namespace, overrides: Sequence[Override]) -> Config:
    problem = ResearchProblem(options.problem) if options.problem else None
    below = [problem.layer()] if problem else []
    config = load_config(options.config, [*options.overrides, *overrides], lowest=below)
    config = problem.in_workspaces(config) if problem else config
    return with_language_of(_with_server(config, options.api_base), options.initial_program)


def _more(options: argparse.Namespace, folder: Path, config: Config) -> list[Override]:
    """With ``--checkpoint``, ``-i N`` asks for N iterations more than there are. A checkpoint of OpenEvolve's
    begins a journal. Raises UserError."""
    journal = folder / "journal.jsonl"
    if is_upstreams(options.checkpoint) and not _is_of_a_run(options.checkpoint):
        done = begin_from(options.checkpoint, journal, config)
        _announce(f"taken over: {done + 1} programs of {options.checkpoint}")
    else:
        done = max(0, len(replay(journal).outcomes) - 1)
    if options.iterations is None:
        return []
    return [Override(f"max_iterations={done + options.iterations}", "--iterations")]


def _is_of_a_run(checkpoint: Path) -> bool:
    return (checkpoint.resolve().parent.parent / "journal.jsonl").is_file()


def _overrides(options: argparse.Namespace) -> list[Override]:
    """Settings that have options of their own; models named here take the place of the config's."""
    found = []
    if options.iterations is not None:
        found.append(Override(f"max_iterations={options.iterations}", "--iterations"))
    if options.offline:
        found.append(Override("proposer=offline", "--offline"))
    if options.target_score is not None:
        found.append(Override(f"target_score={options.target_score}", "--target-score"))
    if options.log_level:
        found.append(Override(f"log_level={options.log_level}", "--log-level"))
    if options.primary_model or options.secondary_model:
        found.append(Override("llm.models=[]", "--primary-model"))
    for key in ("primary_model", "secondary_model"):
        if name := getattr(options, key):
            found.append(Override(f"llm.{key}={json.dumps(name)}", f"--{key.replace('_', '-')}"))
    return found


def _with_server(config: Config, address: str | None) -> Config:
    """The config with ``--api-base``, or OPENAI_API_BASE where neither it nor the config names an address."""
    if address is None and "api_base" not in config.llm.model_fields_set:
        address = os.environ.get("OPENAI_API_BASE")
    return config.model_copy(update={"llm": config.llm.served_at(address)}) if address else config


def _announce(*lines: str) -> None:
    for line in lines:
        log.info(line)
        print(line, flush=True)


def _output_folder(options: argparse.Namespace) -> Path:
    initial: Path = options.initial_program
    output: Path | None = options.output
    checkpoint: Path | None = options.checkpoint
    usual = initial.parent / "openevolve_output"
    if checkpoint is None:
        return output or usual
    if is_upstreams(checkpoint) and not _is_of_a_run(checkpoint):
        return output or usual
    folder = checkpoint.resolve().parent.parent
    if not checkpoint.is_dir() or not (folder / "journal.jsonl").is_file():
        raise UserError(f"--checkpoint: expected a checkpoint in a run's folder, found none at {checkpoint}")
    if output is not None and output.resolve() != folder:
        raise UserError(
            f"--output: expected the folder of the checkpoint's run, {folder}, found {output}; "
            "copy that folder to continue elsewhere"
        )
    return folder


def _check_that_it_began_with(code: str, folder: Path, options: argparse.Namespace) -> None:
    """A run is continued with its own copy of the initial program. Raises UserError for another one."""
    journal = folder / "journal.jsonl"
    if options.checkpoint is not None or not journal.is_file():
        return
    first = next(read_journal(journal), None)
    if first is not None and first.get("initial_code") != code:
        raise UserError(
            f"{folder}: expected a run of {options.initial_program}, found one that began with another "
            "program; name another folder with --output, or delete this one to begin anew"
        )


def _report(plan: Plan, result: Result) -> None:
    print("---")
    print(f"status: {result.reason}")
    print(f"iterations: {max(0, len(result.state.outcomes) - 1)}")
    population = result.state.population
    best = best_of(result.state)
    if best is not None:  # none where the run ended before the initial program had a score
        print(f"best_{plan.config.database.fitness_metric}: {population.fitness(best.metrics):.6g}")
        for name, value in scores_of_best(result.state).items():
            print(f"best_{name}: {value:.6g}")
        print(f"best_program: {plan.folder / 'best' / f'best_program{plan.config.file_suffix}'}")
    if result.ladder is not None:
        print(*result.ladder.lines(), sep="\n")
    print(leave_report(plan.folder))
    if not result.completed:
        print(_RESUME)
