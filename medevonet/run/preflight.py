"""What ``--check`` prints: what a run would use, take and cost. Nothing is downloaded or written for it."""

import asyncio
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medevonet.data.cache import default_folder
from medevonet.data.demo import COUNTS
from medevonet.data.sources import Source, find_source, medmnist_info
from medevonet.referee.rungs import downsampling_factor, full_cost, plan_rungs
from medevonet.run.device_trial import described, tried
from medevonet.run.environment import isolation_for
from medevonet.task import DEMO_NAMES, DatasetConfig, TaskConfig, data_folder
from openevolve.commands.evolve import with_isolation
from openevolve.commands.under_way import duration
from openevolve.engine.run import read_program
from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.cores import available_cores
from openevolve.evaluating.isolation import Isolation, Level
from openevolve.evaluation_result import EvaluationFailed
from openevolve.llm.provider import choose_provider
from openevolve.llm.settings import asks_models, check_budget, without_models
from openevolve.proposing.prompts import build_prompt
from openevolve.records.program import Context, Elite, Program
from openevolve.settings.layers import by_source
from openevolve.settings.models import Config, ModelConfig, Price
from openevolve.state.random import random_source

_CHARACTERS_PER_TOKEN = 4
_REPLY_TOKENS = 2000  # of a usual reply: a program of a hundred lines and a few sentences


@dataclass(frozen=True)
class Check:
    """The report, and whether a run would start."""

    text: str
    ready: bool


def preflight(config: Config, task: TaskConfig, program: Path, *, allow_unsafe: bool = False) -> Check:
    """Look at everything that a run depends on; what would stop it is part of the report."""
    problems: list[str] = []
    lines = [
        *_sources(config),
        *map("note: {}".format, config.notes),
        *_provider(config, problems),
        *_data(task, problems),
        *_limits(config),
    ]
    isolation = _isolation(config.evaluator.isolation, allow_unsafe, task, problems)
    config = with_isolation(config, isolation.level)
    lines.append(f"isolation: {isolation.line}")
    with _noted(problems):
        lines += _estimate(config, task, program, problems)
    if config.proposer == "llm":
        lines += _first_prompt(config, program)
    lines += [
        "---",
        *(f"problem: {problem}" for problem in problems),
        f"ready: {'no' if problems else 'yes'}",
    ]
    return Check("\n".join(lines), not problems)


def _sources(config: Config) -> list[str]:
    """Which file or option every setting comes from: all names, but those of the file that sets most."""
    found = sorted(by_source(config.origins).items(), key=lambda item: len(item[1]))
    named = [f"settings of {source}: {', '.join(names)}" for source, names in found[:-1]]
    rest = f"settings of {found[-1][0]}: all others that it holds" if found else "settings: none but defaults"
    return [*named, rest]


@contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """What the user can mend is noted as a problem; a signal ends the check."""
    try:
        yield
    except RunInterrupted:
        raise
    except UserError as error:
        problems.append(str(error))


def _provider(config: Config, problems: list[str]) -> list[str]:
    if not asks_models(config):
        return [f"proposals: {without_models(config)}"]
    lines = ["proposals: no language model can be reached"]
    with _noted(problems):
        check_budget(config)
        provider, _ = choose_provider(config.llm, os.environ)
        lines = [f"proposals: {provider}", *_models(config, problems)]
    return lines


def _models(config: Config, problems: list[str]) -> list[str]:
    """How each model takes a small request; for what is sent to it otherwise than set, a line too."""
    from openevolve.llm.openai_client import sampling_note
    from openevolve.llm.trial import try_models

    trials = asyncio.run(try_models(config, lambda llm: choose_provider(llm, os.environ)[1]))
    problems += [trial.problem for trial in trials if trial.problem]
    notes = [sampling_note(model) for model in config.llm.ensemble()]
    return [f"model: {line}" for line in [*(t.line() for t in trials if not t.problem), *filter(None, notes)]]


def _isolation(level: Level, allow_unsafe: bool, task: TaskConfig, problems: list[str]) -> Isolation:
    """What a run would have; where it would refuse, the rest is looked at as it is without walls."""
    isolation = Isolation("process", f"{level} was asked for, and cannot be had here")
    with _noted(problems):
        isolation = isolation_for(task, level, allow_unsafe=allow_unsafe)
    return isolation


def _data(task: TaskConfig, problems: list[str]) -> list[str]:
    lines = []
    for entry in task.datasets:
        with _noted(problems):
            lines.append(_dataset(entry, task, problems))
    return lines


def _dataset(entry: str | DatasetConfig, task: TaskConfig, problems: list[str]) -> str:
    """Raises UserError where nothing can be said of it."""
    source = _source(entry, task)
    sizes = "/".join(str(count) for count in _counts(entry, source).values())
    state = "found"
    if not source.path.is_file():
        state = "missing"
        if source.provide is None:
            problems.append(f"{source.path}: expected a file, found none. {source.remedy}")
        else:
            state += f": it will be {'generated' if entry in DEMO_NAMES else 'downloaded'}"
    return f"data: {source.name}, {task.size} px, {sizes} images, {source.path} ({state})"


def _source(entry: str | DatasetConfig, task: TaskConfig) -> Source:
    root = data_folder(task.data_root)
    return find_source(entry, task.size, root.expanduser(), default_folder(), task.download)


def _counts(entry: str | DatasetConfig, source: Source) -> Mapping[str, int]:
    """Images by split: from MedMNIST's own table, the generator's, or the user's file."""
    if isinstance(entry, str):
        return medmnist_info()[entry]["n_samples"] if entry in medmnist_info() else COUNTS
    try:
        with np.load(source.path) as file:
            return {split: len(file[f"{split}_labels"]) for split in COUNTS}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{source.path}: expected a MedMNIST file, found: {error}. {source.remedy}") from None


def _limits(config: Config) -> list[str]:
    evaluator, budget = config.evaluator, config.budget.model_dump(exclude_none=True)
    memory = f"{evaluator.memory_limit_mb} MB" if evaluator.memory_limit_mb else "unlimited"
    limits = ", ".join(f"{value:g} {name}" for name, value in budget.items()) or "none"
    return [
        f"limits: {config.max_iterations} iterations, {evaluator.parallel_evaluations} evaluations at once, "
        f"{duration(evaluator.timeout)} and {memory} of memory each",
        f"budget: {limits}",
        f"fidelity: {_fidelity(config)}",
    ]


def _fidelity(config: Config) -> str:
    ladder = config.fidelity
    if isinstance(ladder, str):
        return "every program in full" if ladder == "full" else ladder
    return (
        f"after {ladder.min_full} programs in full, those that do poorly on a cheap rung end there, "
        f"but for {ladder.audit_share:.0%} of them"
    )


def _estimate(config: Config, task: TaskConfig, program: Path, problems: list[str]) -> list[str]:
    """Time, from training the seed program here on random images for a moment; and cost."""
    try:
        rates = tried(task, program, config.evaluator.isolation, config.evaluator.device(slot=0))
        sources = [(entry, _source(entry, task)) for entry in task.datasets]
        counts = {source.name: _counts(entry, source) for entry, source in sources}
    except EvaluationFailed as failure:
        problems.append(f"{program}: {failure.kind}: {failure}")
        return []
    seconds = sum(
        task.repeats(name)
        * (
            task.epochs * (count["train"] / rates.training + count["val"] / rates.predicting)
            + count["test"] / rates.predicting
        )
        for name, count in counts.items()
    )
    if seconds > config.evaluator.timeout:
        problems.append(
            f"evaluator.timeout: expected at least the {duration(seconds)} that the seed takes here, found "
            f"{duration(config.evaluator.timeout)}; raise it, or choose a smaller task.size, or fewer sets"
        )
    images = {name: count["train"] for name, count in counts.items()}
    at_once = config.evaluator.parallel_evaluations
    if rates.device == "cpu":
        at_once = min(at_once, available_cores())
    whole = seconds * (config.max_iterations + 1) / at_once
    return [
        f"device: {described(task, rates.device)}, {rates.precision}; the seed program "
        f"trains on {rates.training:.0f} images a second and predicts {rates.predicting:.0f}",
        f"time: about {duration(seconds)} for one evaluation, {duration(whole)} for the run, "
        "if programs are as fast as the seed, all are evaluated in full and the machine is as busy as now",
        *([] if config.fidelity == "full" else [f"rungs: {_rungs(images, task)}"]),
        *_cost(config, program),
    ]


def _rungs(images: Mapping[str, int], task: TaskConfig) -> str:
    """What a program costs up to each rung, of a full evaluation."""
    spent, shares = 0, []
    for rung in plan_rungs(images, task, downsampling_factor(task)):
        spent += sum(images[name] * task.epochs for name, _ in rung.trainings)
        spent += sum(brief.cost for brief in rung.brief.values())
        shares.append(f"{spent / full_cost(images, task):.1%}")
    if not shares:
        return "none is cheap enough to tell anything; every program is evaluated in full"
    return f"{', '.join(shares)} of the cost of a full evaluation"


def _cost(config: Config, program: Path) -> list[str]:
    if not asks_models(config):
        return ["cost: none"]
    characters = sum(len(message["content"]) for message in _prompt(config, program))
    programs_shown = config.prompt.num_top_programs + config.prompt.num_diverse_programs
    tokens = (characters + programs_shown * len(read_program(program))) // _CHARACTERS_PER_TOKEN
    models = config.llm.ensemble()
    unknown = [model.name for model in models if model.name not in config.llm.prices]
    if unknown or not models:
        return [f"cost: unknown, llm.prices has no entry for {', '.join(unknown) or 'any model'}"]
    usual = config.max_iterations * _mean_price(models, config.llm.prices, tokens, _REPLY_TOKENS)
    return [
        f"cost: about ${usual:.2f} for the run, at {tokens} tokens a prompt and {_REPLY_TOKENS} a reply; "
        f"a reply may take up to {config.llm.max_tokens}"
    ]


def _mean_price(models: list[ModelConfig], prices: Mapping[str, Price], prompt: int, reply: int) -> float:
    """US dollars of one call, over the models by their weights."""
    weights = sum(model.weight for model in models)
    dollars = sum(
        model.weight * (prompt * prices[model.name].prompt + reply * prices[model.name].completion) / 1e6
        for model in models
    )
    return dollars / weights


def _prompt(config: Config, program: Path) -> list[Mapping[str, str]]:
    initial = Program("initial", read_program(program), iteration=0, island=0)
    rng = random_source(config.random_seed, 1, "proposal")
    return list(build_prompt(Context(1, 0, Elite(initial, {}), rng), config))


def _first_prompt(config: Config, program: Path) -> list[str]:
    lines = ["", "The first prompt; scores come in once the seed is evaluated:"]
    for message in _prompt(config, program):
        lines += [f"[{message['role']}]", message["content"], ""]
    return lines
