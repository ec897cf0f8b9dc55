"""A run's figures for trackers that people already use: one observer, behind which each is a few calls."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from openevolve.errors import UserError
from openevolve.inspect.clean import shown
from openevolve.inspect.comparing import flat
from openevolve.population.shrinkage import shrunk
from openevolve.records.program import standard_error_of
from openevolve.search.final import scores_of_best
from openevolve.settings.models import Config
from openevolve.state.journal import Event
from openevolve.state.state import State

log = logging.getLogger("openevolve")


class Tracker(Protocol):
    """Takes figures. Whatever it raises ends the tracking, and never the run."""

    def begin(self, settings: Mapping[str, Any]) -> None:
        """With which settings a session began, by their dotted names."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """``step``: so many programs counted."""

    def close(self) -> None: ...


class NoTracker:
    """Tracks nothing."""

    def begin(self, settings: Mapping[str, Any]) -> None: ...

    def scalars(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Tracking:
    """Observes the loop: figures after every program that counts, and of a final at its end."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def observe(self, event: Event, state: State) -> None:
        """Never fails."""
        if isinstance(self._tracker, NoTracker):
            return
        try:
            match event["event"]:
                case "run_started":
                    self._tracker.begin(flat(event["settings"]))
                case "committed":
                    step = max(0, len(state.committed) - 1)
                    self._tracker.scalars(figures(state, event["iteration"]), step)
                case "run_finished":
                    final = {f"final/{name}": value for name, value in scores_of_best(state).items()}
                    self._tracker.scalars(final, max(0, len(state.committed) - 1))
                    self._tracker.close()
        except Exception as error:
            log.warning("tracking has ended, the run goes on: %s: %s", type(error).__name__, error)
            self._tracker = NoTracker()


def figures(state: State, iteration: int) -> dict[str, float]:
    """Of the program that counted last and of the run; the best as measured, and with its luck taken back."""
    outcome, database = state.outcomes[iteration], state.population.config
    found: dict[str, float] = {
        "run/scored": state.full,
        "run/failures": sum(state.failures.values()),
        "run/hours": state.elapsed / 3600,
        "run/tokens": state.usage.tokens,
        "run/dollars": state.usage.cost,
        "program/seconds": outcome.seconds,
    }
    if outcome.evaluated:
        found |= {f"program/{name}": float(value) for name, value in shown(outcome.metrics).items()}
        found["program/fitness"] = state.population.fitness(outcome.metrics)
    members = state.population.best(len(state.population))
    if members:
        values = [state.population.fitness(member.metrics) for member in members]
        found["best/measured"] = values[0]
        errors = [member.metrics.get(standard_error_of(database.fitness_metric)) for member in members]
        if None not in errors:
            found["best/shrunk"] = max(each.mean for each in shrunk(values, [e or 0.0 for e in errors]))
    return found


def tracking_of(config: Config, folder: Path) -> Tracking:
    """The observer that ``tracking`` asks for. Raises UserError where its package is not there."""
    if config.tracking == "none":
        return Tracking(NoTracker())
    try:
        from openevolve.inspect import trackers

        makers: dict[str, Callable[[Path], Tracker]] = {
            "tensorboard": trackers.TensorBoard, "mlflow": trackers.MLflow, "wandb": trackers.WandB,
        }  # fmt: skip
        return Tracking(makers[config.tracking](folder))
    except ImportError as error:
        raise UserError(
            f"tracking: {config.tracking}: expected its extra, found: {error}; install it: "
            f"pip install 'openevolve-medevonet[{config.tracking}]', or set tracking: none"
        ) from None
