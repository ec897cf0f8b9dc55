"""MedEvoNet from Python: ``from medevonet import search, evaluate, confirm, open_run``.

Each call blocks until it is done, also in a notebook, and prints its progress; ``search_async`` and so on
are the same as coroutines. What they return shows itself as a table, and has ``frame()`` and ``figure()``.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from dotenv import find_dotenv, load_dotenv

from medevonet.referee.evaluation import Limits, evaluate_program, ignore
from medevonet.run import command, train_command
from medevonet.run.confirm import confirmed
from medevonet.run.environment import artifacts_folder, isolation_for
from medevonet.run.folder import find_run
from medevonet.run.looks import count_look, run_of
from medevonet.run.views import ConfirmationView, EvaluationView
from openevolve.engine.threads import without_loop
from openevolve.evaluating.isolation.scratch import scratch_folder
from openevolve.inspect.report import leave_report
from openevolve.inspect.views import RunView
from openevolve.records.request import Request, Wish
from openevolve.settings.layers import Override
from openevolve.state.requests import Requests

T = TypeVar("T")


def search(
    program: str | Path | None = None,
    *,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    iterations: int | None = None,
    demo: bool = False,
    offline: bool = False,
    seed: int | None = None,
    resume: str | Path | None = None,
    allow_unsafe: bool = False,
) -> RunView:
    """Search for a better network, as ``run_evolution.py`` does, in ``runs/mnist`` of the working directory.

    ``program`` is the first program, a path or its text (None: seed_program.py); ``config`` lies over
    config.yaml; ``settings`` are as of ``--set``, such as ``"task.epochs=4"``. ``demo`` needs no key and no
    data. An interrupt lets evaluations finish and ends the run.

    Raises:
        UserError: bad settings, no language model, a first program that fails.
        RunInterrupted: the run was stopped from outside; it can be resumed.
    """
    options = command.parser().parse_args([])
    options.config = None if config is None else Path(config)
    options.overrides = [Override(setting, "settings") for setting in settings]
    options.iterations, options.seed = iterations, seed
    options.demo, options.offline = demo, offline
    options.resume = None if resume is None else str(resume)
    load_dotenv(find_dotenv(usecwd=True))
    runs: list[Path] = []

    def work() -> RunView:
        setup = command.make_setup(options)
        with ExitStack() as stack:
            first = command.SEED_PROGRAM if program is None else _file(program, stack)
            run, _ = command.conduct(setup, allow_unsafe=allow_unsafe, program=first, began=runs.append)
        print(leave_report(run))
        return RunView.open(run)

    def stop() -> None:
        for run in runs:
            Requests(run / "openevolve" / "journal.jsonl").put(Request(Wish.STOP))

    return without_loop(work, stop)


def evaluate(
    program: str | Path,
    *,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    epochs: int | None = None,
    demo: bool = False,
    seed: int | None = None,
    test: bool = False,
    progress: bool = True,
    allow_unsafe: bool = False,
) -> EvaluationView:
    """Train a program (a path or its text) and score it, as ``train.py`` does.

    With ``test`` the scores on the test split are shown too, and the look is counted.

    Raises:
        EvaluationFailed: the program is at fault; its ``kind`` says how.
        UserError: the settings, the data or the device is.
    """
    options = train_command.parser().parse_args(["program"])
    options.config = None if config is None else Path(config)
    options.overrides = [Override(setting, "settings") for setting in settings]
    options.epochs, options.seed, options.demo = epochs, seed, demo
    chosen, task = train_command.settings_of(options)
    level = isolation_for(task, chosen.evaluator.isolation, allow_unsafe=allow_unsafe).level
    with ExitStack() as stack:
        path = _file(program, stack)
        found = evaluate_program(
            path,
            task,
            artifacts_folder(),
            limits=Limits(chosen.evaluator.timeout, chosen.evaluator.memory_limit_mb),
            level=level,
            on_epoch=train_command.print_epoch if progress else ignore,
        )
        if test:
            count_look(run_of(path) or artifacts_folder(), "medevonet.evaluate", [str(path)])
    return EvaluationView(found, with_test=test)


def confirm(
    run: str | Path | RunView = "latest",
    *,
    top: int = 3,
    seeds: int = 10,
    at_once: int | None = None,
    allow_unsafe: bool = False,
) -> ConfirmationView:
    """Is what a run found better than its seed? As ``run_evolution.py confirm``, with one look at the test
    split that is counted; what was confirmed is not trained again. Raises UserError.
    """
    folder = find_run(str(run.folder if isinstance(run, RunView) else run))
    confirmed(folder, top, seeds, at_once, allow_unsafe=allow_unsafe)
    found = json.loads((folder / "confirmation.json").read_text(encoding="utf-8"))
    return ConfirmationView(found, (folder / "confirmation.svg").read_text(encoding="utf-8"))


def open_run(run: str | Path | None = None) -> RunView:
    """A run, running or not, by its folder or the beginning of its name; None is the latest.

    Raises UserError.
    """
    return RunView.open(run)


async def search_async(program: str | Path | None = None, **options: Any) -> RunView:
    """``search`` as a coroutine: the event loop goes on meanwhile."""
    return await _elsewhere(lambda: search(program, **options))


async def evaluate_async(program: str | Path, **options: Any) -> EvaluationView:
    """``evaluate`` as a coroutine."""
    return await _elsewhere(lambda: evaluate(program, **options))


async def confirm_async(run: str | Path | RunView = "latest", **options: Any) -> ConfirmationView:
    """``confirm`` as a coroutine."""
    return await _elsewhere(lambda: confirm(run, **options))


async def _elsewhere(call: Callable[[], T]) -> T:
    return await asyncio.to_thread(call)


def _file(program: str | Path, stack: ExitStack) -> Path:
    """A program's file; a text is written to one that lasts as long as the stack."""
    if isinstance(program, Path) or "\n" not in program:
        return Path(program)
    path = stack.enter_context(scratch_folder("medevonet-")) / "program.py"
    path.write_text(program, encoding="utf-8")
    return path
