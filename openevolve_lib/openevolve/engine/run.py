"""A whole run, from its plan to its end: what ``openevolve-run`` and other entry points call."""

import asyncio
import logging
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from openevolve.engine.assembly import build_strategies
from openevolve.engine.controller import Controller
from openevolve.engine.final import FinalStage
from openevolve.engine.iteration import Steps
from openevolve.engine.logs import log_to
from openevolve.engine.looks import FurtherLooks, Looker
from openevolve.engine.model_pool import ModelPool
from openevolve.engine.plan import Plan
from openevolve.engine.recorder import Observer, Recorder
from openevolve.engine.resume_checks import check_continuation
from openevolve.engine.signals import ended_by, ended_by_signals, ending_signals
from openevolve.errors import UserError
from openevolve.evaluating.executor import Executor, Site, Telling
from openevolve.evaluating.isolation import Walls
from openevolve.inspect.exports import Exports
from openevolve.inspect.tracking import tracking_of
from openevolve.measuring.ladder import LadderReport, ladder_report
from openevolve.proposing.edits import check_evolve_blocks
from openevolve.records.program import Program
from openevolve.records.progress import Progress
from openevolve.search.stopping import TARGET_REACHED, Stopping
from openevolve.settings.models import LadderConfig
from openevolve.settings.registry import find, settings_of
from openevolve.state.journal import Journal, read_journal
from openevolve.state.replay import fold
from openevolve.state.requests import Requests
from openevolve.state.state import State

log = logging.getLogger("openevolve")


class Watching(Observer, Protocol):
    """A display, as far as a run knows it."""

    def watch(self, state: State, elapsed: "Clock") -> None: ...


@runtime_checkable
class Listening(Protocol):
    """A display that shows how far an evaluation is."""

    def told(self, program: Program, progress: Progress) -> None: ...


class Clock(Protocol):
    def __call__(self) -> float: ...


@dataclass(frozen=True)
class Result:
    """How a run ended, and what it knows."""

    reason: str
    state: State

    @property
    def completed(self) -> bool:
        """Whether all was done that was asked for: every iteration, or those up to ``target_score``."""
        return self.reason == "completed" or self.reason.startswith(TARGET_REACHED)

    @property
    def ladder(self) -> LadderReport | None:
        """Where the run had rungs."""
        return ladder_report(self.state) if isinstance(self.state.config.fidelity, LadderConfig) else None


def execute(plan: Plan, display: Watching) -> Result:
    """Start the run, or continue what its folder's journal holds.

    Raises:
        UserError: bad input, a second runner, a full disk, a refused key, an initial program that fails.
    """
    if not plan.evaluator.is_file():
        raise UserError(f"{plan.evaluator}: expected an evaluator file, found none")
    walls = evaluation_walls(plan)
    tracking = tracking_of(plan.config, plan.folder)
    models = ModelPool(plan.models)
    strategies = build_strategies(plan, models)
    with (
        ended_by_signals(),
        Journal(plan.folder / "journal.jsonl") as journal,
        log_to(plan.folder / "logs", plan.config),
    ):
        exports = Exports(plan.folder, plan.config.checkpoint_interval, plan.config.file_suffix)
        state = _replayed(journal.path, exports)
        if state.committed:
            check_continuation(state.settings, plan.config)
        initial_code = state.initial_code
        if initial_code is None:
            initial_code = read_program(plan.initial_program)
        executor = _executor(plan, walls, resumed=state.initial_code is not None)
        if isinstance(executor, Telling) and isinstance(display, Listening):
            executor.told = display.told
        try:
            record = Recorder(journal, state, [exports, display, tracking])
            steps = Steps(initial_code, strategies, executor, state, record, plan.folder)
            requests = Requests(journal.path)
            stopping = Stopping(plan.config, state)
            looker = Looker(executor, state, record)
            looks = FurtherLooks(plan.config, looker, state, record, steps.allocation)
            final = FinalStage(plan.config, looker, state, record, stopping)
            controller = Controller(
                plan.config, steps, executor, state, record, stopping, looks, final, requests
            )
            plan.begun()
            display.watch(state, record.elapsed)
            reason = asyncio.run(_run(controller, initial_code, models))
            return Result(reason, state)
        finally:
            executor.close()


def _replayed(journal: Path, exports: Exports) -> State:
    """The state of the journal; exports that are missing are made up for."""
    state = State()
    for number, event in enumerate(read_journal(journal), start=1):
        fold(state, [event], number)
        exports.observe(event, state)
    return state


async def _run(controller: Controller, initial_code: str, models: ModelPool) -> str:
    """The controller's loop; the first Ctrl-C finishes what is running, the second ends it."""
    async with models:
        _handle_signals(controller)
        return await controller.run(initial_code)


def _handle_signals(controller: Controller) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals are the main thread's
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if controller.stopping.asked:
            controller.abort("interrupted")
        else:
            log.warning("interrupted: finishing the evaluations that are running; Ctrl-C again ends them")
            controller.stop("interrupted")

    loop.add_signal_handler(signal.SIGINT, interrupt)
    for number in ending_signals():
        loop.add_signal_handler(number, controller.abort, ended_by(number))


def _executor(plan: Plan, walls: Walls | None, resumed: bool) -> Executor:
    cls = find("executor", plan.config.executor)
    site = Site(
        plan.config.evaluator,
        plan.evaluator,
        plan.folder,
        file_suffix=plan.config.file_suffix,
        environment=plan.environment,
        walls=walls,
        resumed=resumed,
        worker=plan.worker,
        prepare=plan.prepare,
    )
    executor: Executor = cls.build(site, settings_of(cls, plan.config))
    return executor


def evaluation_walls(plan: Plan) -> Walls | None:
    """Around an evaluation that runs the program in its own process; it may start others.

    It reads what lies beside its evaluator, but no hidden file and nothing of the run. Raises UserError where
    the two cannot be told apart.
    """
    if plan.evaluator_isolates or plan.config.evaluator.isolation != "strict":
        return None
    output = plan.folder.resolve()
    folders = tuple(folder.resolve() for folder in (plan.evaluator.parent, *plan.beside))
    if output in folders:
        raise UserError(
            f"{plan.folder}: expected a folder of its own for the run, found that of the evaluator, which "
            "programs may read; name another one with --output"
        )
    beside = (path for folder in folders for path in folder.iterdir() if not path.name.startswith("."))
    shared = plan.config.strategies.get(plan.config.executor, {}).get("folder")  # with workers
    own = [output, *([Path(shared).resolve()] if shared else [])]
    readable = [path for path in beside if not any(place.is_relative_to(path.resolve()) for place in own)]
    for path in plan.config.evaluator.read:
        if not path.exists():
            raise UserError(f"evaluator.read: expected a folder or a file, found none at {path}")
        readable.append(path.resolve())
    return Walls(
        tuple(readable),
        folders,
        processes=64,
        gpu=True,
        threads=2048,
        files=10_000,
        file_mb=1024,
        written_mb=8192,
    )


def read_program(path: Path) -> str:
    """The text of an initial program. Raises UserError."""
    try:
        code = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a program in UTF-8, found: {error}") from None
    check_evolve_blocks(code)
    return code
