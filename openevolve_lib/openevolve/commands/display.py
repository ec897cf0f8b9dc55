"""What a person sees of a running search: a live panel on a terminal, plain lines elsewhere."""

import asyncio
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from openevolve.commands.under_way import UnderWay, duration
from openevolve.population.shrinkage import shrunk
from openevolve.records.program import Outcome, Program, standard_error_of
from openevolve.records.progress import Progress
from openevolve.settings.models import Config, LadderConfig
from openevolve.state.journal import Event
from openevolve.state.state import State


class Display(Protocol):
    """An observer that shows a run while it lasts."""

    def observe(self, event: Event, state: State) -> None: ...

    def watch(self, state: State, elapsed: Callable[[], float]) -> None:
        """Show this run from now on; what earlier sessions did is not shown again.

        ``elapsed`` gives the seconds of running over all sessions.
        """

    def told(self, program: Program, progress: Progress) -> None:
        """How far an evaluation is, by its own word."""

    def close(self) -> None: ...


class Status:
    """The figures of a run as short texts."""

    def __init__(self, state: State, elapsed: Callable[[], float]) -> None:
        self.state = state
        self._elapsed = elapsed
        self._done_before = len(state.outcomes)
        self._elapsed_before = state.elapsed
        self._worth: tuple[int, str] | None = None

    @property
    def config(self) -> Config:
        return self.state.config

    @property
    def has_rungs(self) -> bool:
        return isinstance(self.config.fidelity, LadderConfig)

    def progress(self) -> str:
        done = max(0, len(self.state.outcomes) - 1)
        return f"{done}/{self.config.max_iterations}"

    def running(self) -> str:
        evaluating = len(self.state.measuring)
        others = self.state.next_iteration - len(self.state.outcomes) - evaluating
        return f"{evaluating} evaluating, {others} proposing or waiting"

    def score(self, metrics: dict[str, float]) -> str:
        """Fitness and, where one is set, the tie-break metric."""
        name = self.config.database.fitness_metric
        error = metrics.get(standard_error_of(name))
        text = f"{name} {self.state.population.fitness(metrics):.4f}"
        text += "" if error is None else f" ± {error:.4f}"
        tie_break = self.config.database.tie_break_metric
        return f"{text}, {metrics[tie_break]:,.0f} {tie_break}" if tie_break else text

    def best(self) -> str:
        best = self.state.population.best()
        if not best:
            return "none yet"
        return f"{self.score(dict(best[0].metrics))}{self._likely()} (iteration {best[0].program.iteration})"

    def _likely(self) -> str:
        """What the luckiest of many is likely worth; worked out once for every result."""
        population, count = self.state.population, len(self.state.committed)
        if self._worth is None or self._worth[0] != count:
            error = standard_error_of(self.config.database.fitness_metric)
            members = [elite.metrics for elite in population.best(len(population))]
            errors = [metrics[error] for metrics in members if error in metrics]
            text = ""
            if len(members) == len(errors) > 2:
                text = f", likely {shrunk([population.fitness(m) for m in members], errors)[0].mean:.4f}"
            self._worth = count, text
        return self._worth[1]

    def archive(self) -> str:
        stats = self.state.population.stats()
        return f"{stats.elites} of {stats.cells} cells hold a program"

    def result(self, outcome: Outcome) -> str:
        """What became of a program, in a few words."""
        if outcome.failure:
            return f"failed: {outcome.failure}: {one_line(outcome.message)}"
        if outcome.rejected:
            return f"rejected: {one_line(outcome.message)}"
        return self.score(dict(outcome.metrics))

    def line(self, event: Event) -> str:
        """What became of an iteration that counts now: its result, and what was changed."""
        program, outcome = self.state.programs[event["iteration"]], self.state.outcomes[event["iteration"]]
        twin = event["duplicate_of"]
        same = [] if twin is None else [f"the same program as iteration {twin}, which counts"]
        parts = [self.result(outcome), *same, one_line(program.changes)]
        return " | ".join(part for part in parts if part)

    def fidelity(self) -> str:
        """How far programs were evaluated."""
        state = self.state
        return f"{state.full} in full ({state.audits} to audit), {state.rejected} rejected"

    def failures(self) -> str:
        counts = self.state.failures
        return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"

    def spent(self) -> str:
        return self.state.usage.in_words()

    def summary(self) -> str:
        """How the run stands, in one line."""
        columns = [
            f"best {self.best()}",
            self.archive(),
            *([f"evaluated: {self.fidelity()}"] if self.has_rungs else []),
            f"failures: {self.failures()}",
            self.spent(),
            f"left: {self.time_left()}",
        ]
        return " | ".join(columns)

    def time_left(self) -> str:
        """From the pace of this session; at most what ``budget.hours`` leaves."""
        done = len(self.state.outcomes) - self._done_before
        remaining = self.config.max_iterations + 1 - len(self.state.outcomes)
        if remaining <= 0:
            return "0 s"
        if done < 2:
            return "unknown yet"
        elapsed = self._elapsed()
        seconds = (elapsed - self._elapsed_before) / done * remaining
        if self.config.budget.hours is not None:
            seconds = min(seconds, self.config.budget.hours * 3600 - elapsed)
        return duration(max(0.0, seconds))


class PlainDisplay:
    """A short line for each finished iteration; now and then one on the whole, or on what is evaluated."""

    _SECONDS = 30.0  # from one such line to the next
    _EVERY = 10  # iterations, after which a line says how the run stands

    def __init__(self) -> None:
        self._status: Status | None = None
        self._under_way = UnderWay()
        self._said = -math.inf

    def watch(self, state: State, elapsed: Callable[[], float]) -> None:
        self._status = Status(state, elapsed)

    def observe(self, event: Event, state: State) -> None:
        """Only what counts gets a line."""
        status = self._status
        self._under_way.observe(event, state)
        if status is not None and event["event"] in ("final_begun", "looked"):
            print(final_line(event, state), flush=True)
        if status is None or event["event"] != "committed":
            return
        iteration = event["iteration"]
        print(f"[{iteration}/{status.config.max_iterations}] {status.line(event)}", flush=True)
        done = len(state.committed) - 1
        if done and (done % self._EVERY == 0 or done == status.config.max_iterations):
            print(f"[so far] {status.summary()}", flush=True)

    def told(self, program: Program, progress: Progress) -> None:
        self._under_way.told(program.iteration, progress)
        if self._status is not None and time.monotonic() - self._said >= self._SECONDS:
            self._said = time.monotonic()
            line = self._under_way.line(program.iteration)
            print(f"[{program.iteration}/{self._status.config.max_iterations}] {line}", flush=True)

    def close(self) -> None:
        """Nothing is held open."""


def final_line(event: Event, state: State) -> str:
    """What is measured beyond the evaluations, in a line: at the end, meanwhile, or since somebody asked."""
    if event["event"] == "final_begun":
        iterations = [state.iterations[name] for name in event["final"]["candidates"]]
        numbers = ", ".join(map(str, iterations))
        return f"[final] the best by estimate are measured afresh: iterations {numbers}"
    stage = "asked" if event.get("asked") else "again" if state.final is None else "final"
    what = f"[{stage}] iteration {state.iterations[event['program_id']]}, {event['unit']}"
    if event["failure"]:
        return f"{what}: failed: {event['failure']}: {one_line(event['message'])}"
    return f"{what}: {event['measurement']['value']:.4f}"


class LiveDisplay:
    """A panel that is drawn again and again, and the last results below it.

    It is drawn from the run's event loop, never from a thread of its own: what it reads changes there.
    """

    _RECENT = 8
    _SECONDS = 0.25

    def __init__(self, console: Console) -> None:
        self._status: Status | None = None
        self._recent: list[Text] = []
        self._under_way = UnderWay()
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._render)
        self._next: asyncio.TimerHandle | None = None

    def watch(self, state: State, elapsed: Callable[[], float]) -> None:
        self._status = Status(state, elapsed)
        self._live.start()

    def observe(self, event: Event, state: State) -> None:
        """The first event starts the drawing."""
        if self._next is None:
            self._draw()
        self._under_way.observe(event, state)
        if event["event"] in ("final_begun", "looked"):
            self._recent = [*self._recent[-self._RECENT + 1 :], Text(final_line(event, state), no_wrap=True)]
        if event["event"] == "committed":
            self._note(event, state.outcomes[event["iteration"]])

    def told(self, program: Program, progress: Progress) -> None:
        self._under_way.told(program.iteration, progress)

    def _draw(self) -> None:
        self._live.refresh()
        self._next = asyncio.get_running_loop().call_later(self._SECONDS, self._draw)

    def _note(self, event: Event, outcome: Outcome) -> None:
        if self._status is None:
            return
        style = "red" if outcome.failure else "dim" if outcome.rejected else ""
        line = Text(f"{event['iteration']:>5}  {self._status.line(event)}", style)
        self._recent = [*self._recent[-self._RECENT + 1 :], line]

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        if self._status is None:
            return table
        names = ["progress", "running", "best", "archive", "failures", "spent", "time_left"]
        if self._status.has_rungs:
            names.insert(names.index("failures"), "fidelity")
        for name in names:
            table.add_row(Text(name.replace("_", " "), "bold"), getattr(self._status, name)())
        for iteration, words in self._under_way.lines():
            table.add_row(Text(f"evaluating {iteration}", "bold"), Text(words, no_wrap=True))
        for line in self._recent:
            table.add_row("", line)
        return table

    def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._status is not None:
            self._live.stop()


def one_line(text: str, limit: int = 300) -> str:
    """Text of a model or a program, fit for a terminal: one line, no control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


@contextmanager
def display_for_terminal() -> Iterator[Display]:
    """The live panel where standard output is a terminal, else plain lines."""
    console = Console()
    display: Display = LiveDisplay(console) if sys.stdout.isatty() else PlainDisplay()
    try:
        yield display
    finally:
        display.close()
