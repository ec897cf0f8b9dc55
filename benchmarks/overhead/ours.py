"""This project's side: ``python -m benchmarks.overhead.ours {loop,run} FOLDER PROGRAMS [KEY=VALUE ...]``.

``loop`` is the engine alone: the controller with its journal, database, selection and exports, a
scripted proposer and an evaluator called in the process. ``run`` is a whole run as
``openevolve-run`` starts it: a prompt is built, a scripted reply is parsed, and every program is
evaluated in a process of its own.
"""

import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.overhead import workload
from benchmarks.overhead.timeline import Timeline
from openevolve.commands.display import PlainDisplay
from openevolve.engine.controller import Controller, Observer, Parts
from openevolve.engine.run import Run, execute
from openevolve.evaluating.channel import Decide
from openevolve.inspect.exports import Storage
from openevolve.llm.base import Attempt, Completion, Message
from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.proposing.llm import LLMProposer
from openevolve.records.program import Context, Outcome, Program, Proposal
from openevolve.search.parents import ExploreExploit
from openevolve.settings.files import apply_overrides, check
from openevolve.settings.models import Config
from openevolve.state.history import History
from openevolve.state.journal import Event, Journal

PROMPT_PROGRAMS = 6  # with the default settings a prompt shows a parent, three top programs and two others


class ScriptedProposer:
    """A random program, with a prompt as long as a real one for the journal to keep."""

    def __init__(self) -> None:
        prompt = workload.initial_program() * PROMPT_PROGRAMS
        self._messages = ({"role": "user", "content": prompt},)

    async def propose(self, context: Context) -> Proposal:
        return Proposal(
            code=workload.random_program(context.rng), proposer="scripted", messages=self._messages
        )


class InstantExecutor:
    """Calls the evaluator in the engine's own process."""

    slots = 1

    async def evaluate(self, program: Program, decide: Decide | None = None) -> Outcome:
        return Outcome(program.id, workload.score(program.code))

    def close(self) -> None:
        """Nothing is held open."""


class Recorder:
    """Observes the loop."""

    def __init__(self, database: Database, timeline: Timeline) -> None:
        self._database = database
        self._timeline = timeline

    def recorded(self, event: Event) -> None:
        """Programs count once they are committed."""

    def committed(self, program: Program, outcome: Outcome) -> None:
        self._timeline.sample(len(self._database))


class ScriptedModel:
    """A language model that answers at once."""

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        return Completion(workload.reply(rng), "scripted", (Attempt("scripted", 0.0, "ok"),))

    async def close(self) -> None:
        """Nothing is held open."""


class RecordingDisplay(PlainDisplay):
    """The plain lines of a run, and a sample for each."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline
        self._database: Database | None = None

    def watch(self, controller: Controller) -> None:
        super().watch(controller)
        self._database = controller.database

    def committed(self, program: Program, outcome: Outcome) -> None:
        super().committed(program, outcome)
        assert self._database is not None
        self._timeline.sample(len(self._database))


def loop(config: Config, folder: Path, timeline: Timeline) -> None:
    database = Database(config.database, declared_axes(config))
    storage = Storage(folder, database, config.checkpoint_interval, config.file_suffix)
    with Journal(folder / "journal.jsonl") as journal:
        parts = Parts(
            journal, History(), database, ExploreExploit(config), ScriptedProposer(), InstantExecutor()
        )
        observers: list[Observer] = [storage, Recorder(database, timeline)]
        asyncio.run(Controller(config, workload.initial_program(), parts, observers).run())


def run(
    config: Config, folder: Path, timeline: Timeline, environment: Mapping[str, str] | None = None
) -> None:
    """``environment`` is that of evaluations, on top of the clean one."""
    initial = folder / "initial_program.py"
    initial.write_text(workload.initial_program())
    execute(
        Run(
            config=config,
            initial_program=initial,
            evaluator=Path(workload.__file__),
            folder=folder,
            proposer=LLMProposer(ScriptedModel(), config),
            environment=environment or {},
        ),
        RecordingDisplay(timeline),
    )


def main() -> None:
    mode, folder, programs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    settings = workload.SETTINGS | {"max_iterations": programs - 1}
    config = check(Config, apply_overrides(settings, sys.argv[4:]), "settings")
    timeline = Timeline()
    {"loop": loop, "run": run}[mode](config, folder, timeline)
    timeline.write(folder / "timeline.json")


if __name__ == "__main__":
    main()
