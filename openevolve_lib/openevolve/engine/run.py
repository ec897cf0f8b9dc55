"""A whole run, put together from its settings: what ``openevolve-run`` and other entry points call."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openevolve.commands.display import Display
from openevolve.engine.controller import Controller, Parts
from openevolve.engine.logs import log_to
from openevolve.engine.resume_checks import check_continuation
from openevolve.engine.signals import ended_by, ended_by_signals, ending_signals
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Walls
from openevolve.evaluating.local import LocalExecutor
from openevolve.inspect.exports import Storage
from openevolve.measuring.ladder import LadderReport, ladder_report
from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.proposing import Proposer
from openevolve.proposing.edits import check_evolve_blocks
from openevolve.reflection.reviewer import NoReviewer, Reviewer
from openevolve.search.parents import ExploreExploit
from openevolve.settings.models import Config, LadderConfig
from openevolve.state.history import History
from openevolve.state.journal import Journal, read_journal

log = logging.getLogger("openevolve")


@dataclass(frozen=True)
class Run:
    """What a run is made of."""

    config: Config
    initial_program: Path  # read when the run starts; on resume the journal's copy counts
    evaluator: Path
    folder: Path  # journal, best, checkpoints, logs
    proposer: Proposer
    reviewer: Reviewer = NoReviewer()
    environment: Mapping[str, str] = field(default_factory=dict)  # of evaluations, beside the clean one
    # The evaluator is trusted and puts programs within walls itself: none stand around it.
    evaluator_isolates: bool = False
    begun: Callable[[], None] = lambda: None  # called once nothing stands in the way of the run


@dataclass(frozen=True)
class Result:
    """How a run ended, and what it knows."""

    reason: str
    history: History
    database: Database
    ladder: LadderReport | None = None  # where the run had rungs

    @property
    def completed(self) -> bool:
        return self.reason == "completed"


def execute(run: Run, display: Display) -> Result:
    """Start the run, or continue what its folder's journal holds.

    Raises:
        UserError: bad input, a second runner, a full disk, a refused key, an initial program that fails.
    """
    if not run.evaluator.is_file():
        raise UserError(f"{run.evaluator}: expected an evaluator file, found none")
    walls = evaluation_walls(run)
    with (
        ended_by_signals(),
        Journal(run.folder / "journal.jsonl") as journal,
        log_to(run.folder / "logs", run.config),
    ):
        history = History.replay(read_journal(journal.path))
        check_continuation(history.settings, run.config)
        initial_code = history.initial_code
        if initial_code is None:
            initial_code = read_program(run.initial_program)
        database = Database(run.config.database, declared_axes(run.config))
        executor = LocalExecutor(
            run.config.evaluator,
            run.evaluator,
            file_suffix=run.config.file_suffix,
            environment=run.environment,
            walls=walls,
        )
        try:
            parts = Parts(
                journal, history, database, ExploreExploit(run.config), run.proposer, executor, run.reviewer
            )
            storage = Storage(run.folder, database, run.config.checkpoint_interval, run.config.file_suffix)
            controller = Controller(run.config, initial_code, parts, [storage, display])
            run.begun()
            display.watch(controller)
            reason = asyncio.run(_run(controller))
            return Result(reason, history, database, _ladder_report(run.config, history, database))
        finally:
            executor.close()


def evaluation_walls(run: Run) -> Walls | None:
    """Around an evaluation that runs the program in its own process; it may start others.

    It reads what lies beside its evaluator, but no hidden file and nothing of the run. Raises UserError where
    the two cannot be told apart.
    """
    if run.evaluator_isolates or run.config.evaluator.isolation != "strict":
        return None
    folder, output = run.evaluator.resolve().parent, run.folder.resolve()
    if output == folder:
        raise UserError(
            f"{run.folder}: expected a folder of its own for the run, found that of the evaluator, which "
            "programs may read; name another one with --output"
        )
    beside = (path for path in folder.iterdir() if not path.name.startswith("."))
    readable = tuple(path for path in beside if not output.is_relative_to(path))
    return Walls(
        readable, (folder,), processes=64, gpu=True, threads=2048, files=10_000, file_mb=1024, written_mb=8192
    )


async def _run(controller: Controller) -> str:
    """The controller's loop; the first Ctrl-C finishes what is running, the second ends it."""
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
    return await controller.run()


def _ladder_report(config: Config, history: History, database: Database) -> LadderReport | None:
    if not isinstance(config.fidelity, LadderConfig):
        return None
    return ladder_report(history, database)


def read_program(path: Path) -> str:
    """The text of an initial program. Raises UserError."""
    try:
        code = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a program in UTF-8, found: {error}") from None
    check_evolve_blocks(code)
    return code
