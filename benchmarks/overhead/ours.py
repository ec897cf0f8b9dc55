"""This project's side: ``python -m benchmarks.overhead.ours {loop,run} FOLDER PROGRAMS [KEY=VALUE ...]``.

``loop`` is the engine alone: the controller with its journal, database, selection and exports, a
scripted proposer and an evaluator called in the process. ``run`` is a whole run as
``openevolve-run`` starts it: a prompt is built, a scripted reply is parsed, and every program is
evaluated in a process of its own.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.overhead import workload
from benchmarks.overhead.timeline import Timeline
from openevolve.commands.display import PlainDisplay
from openevolve.engine.assembly import build_strategies
from openevolve.engine.controller import Controller
from openevolve.engine.final import FinalStage
from openevolve.engine.iteration import Steps
from openevolve.engine.looks import FurtherLooks, Looker
from openevolve.engine.plan import Plan
from openevolve.engine.recorder import Recorder
from openevolve.engine.run import execute
from openevolve.evaluating.channel import Decide
from openevolve.evaluating.executor import Look, unheard
from openevolve.inspect.exports import Exports
from openevolve.llm.base import Attempt, Completion, Message
from openevolve.proposing.desk import Desk
from openevolve.proposing.llm import LLMProposer
from openevolve.records.measurement import Unit
from openevolve.records.program import Context, Outcome, Program, Proposal
from openevolve.reflection.reviewer import NoReflection
from openevolve.search.stopping import Stopping
from openevolve.settings.files import layered
from openevolve.settings.layers import Layer
from openevolve.settings.models import Config
from openevolve.state.journal import Event, Journal
from openevolve.state.state import State

PROMPT_PROGRAMS = 6  # with the default settings a prompt shows a parent, three top programs and two others


class ScriptedProposer:
    """A random program, with a prompt as long as a real one for the journal to keep."""

    def __init__(self) -> None:
        prompt = workload.initial_program() * PROMPT_PROGRAMS
        self._messages = ({"role": "user", "content": prompt},)
        self._model = ScriptedModel()

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        await desk.complete(self._model, self._messages)
        return Proposal(code=workload.random_program(context.rng), proposer="scripted")


class InstantExecutor:
    """Calls the evaluator in the engine's own process."""

    slots = 1

    async def evaluate(
        self, program: Program, decide: Decide | None = None, started: Callable[[], None] = unheard
    ) -> Outcome:
        started()
        return Outcome(program.id, workload.score(program.code))

    async def look(self, program: Program, look: Look, started: Callable[[], None] = unheard) -> Outcome:
        return await self.evaluate(program, None, started)

    async def offered(self, program: Program) -> tuple[Unit, ...]:
        return (Unit("score", "score"),)

    def close(self) -> None:
        """Nothing is held open."""


class Sampler:
    """Observes the loop: a sample for every program that counts."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def observe(self, event: Event, state: State) -> None:
        if event["event"] == "committed":
            self._timeline.sample(len(state.population))


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
        self._sampler = Sampler(timeline)

    def observe(self, event: Event, state: State) -> None:
        super().observe(event, state)
        self._sampler.observe(event, state)


def loop(config: Config, folder: Path, timeline: Timeline) -> None:
    exports = Exports(folder, config.checkpoint_interval, config.file_suffix)
    with Journal(folder / "journal.jsonl") as journal:
        state = State(config)
        record = Recorder(journal, state, [exports, Sampler(timeline)])
        code, executor = workload.initial_program(), InstantExecutor()
        plan = Plan(config, folder, folder, folder, proposer=ScriptedProposer(), reflection=NoReflection())
        strategies = build_strategies(plan, plan.models)
        steps = Steps(code, strategies, executor, state, record)
        stopping, looker = Stopping(config, state), Looker(executor, state, record)
        looks = FurtherLooks(config, looker, state, record, steps.allocation)
        final = FinalStage(config, looker, state, record, stopping)
        controller = Controller(config, steps, executor, state, record, stopping, looks, final)
        asyncio.run(controller.run(code))


def run(
    config: Config, folder: Path, timeline: Timeline, environment: Mapping[str, str] | None = None
) -> None:
    """``environment`` is that of evaluations, on top of the clean one."""
    initial = folder / "initial_program.py"
    initial.write_text(workload.initial_program())
    execute(
        Plan(
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
    config = layered([Layer("settings", settings)], sys.argv[4:])
    timeline = Timeline()
    {"loop": loop, "run": run}[mode](config, folder, timeline)
    timeline.write(folder / "timeline.json")


if __name__ == "__main__":
    main()
