"""When a run takes no new iterations: its budget, early stopping, a request."""

from openevolve.records.program import Outcome
from openevolve.settings.models import Config
from openevolve.state.history import History


class Stopping:
    """Collects the reason to stop; the first one stays."""

    def __init__(self, config: Config) -> None:
        self._budget = config.budget
        self._patience = config.early_stopping_patience
        self._threshold = config.convergence_threshold
        self._metric = config.early_stopping_metric
        self._best: float | None = None
        self._best_at = 0
        self.reason: str | None = None
        self.asked = False  # to begin nothing more; a limit lets what was begun in an earlier session end

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason

    def ask(self, reason: str) -> None:
        """Stop at somebody's request."""
        self.asked = True
        self.stop(reason)

    def reached(self, history: History, elapsed: float) -> bool:
        """True once a limit is reached; ``elapsed`` in seconds."""
        budget, usage = self._budget, history.usage
        bounded = f" ({usage.in_words()})" if usage.calls_without_usage else ""
        spent = [
            ("dollars", usage.cost_at_most, budget.dollars, bounded),
            ("tokens", usage.tokens_at_most, budget.tokens, bounded),
            ("hours", elapsed / 3600, budget.hours, ""),
            ("evaluations", history.evaluations, budget.evaluations, ""),
        ]
        for name, value, limit, note in spent:
            if limit is not None and value >= limit:
                self.stop(f"budget.{name} reached: {value:g} of {limit:g}{note}")
        return self.reason is not None

    def committed(self, outcome: Outcome, iteration: int) -> None:
        """Follow ``early_stopping_metric``; stop after ``early_stopping_patience`` without a gain."""
        if self._patience is None:
            return
        value = outcome.metrics.get(self._metric) if outcome.evaluated else None
        if value is not None and (self._best is None or value > self._best + self._threshold):
            self._best, self._best_at = value, iteration
        if iteration - self._best_at >= self._patience:
            self.stop(
                f"early stopping: {self._metric} has not risen by more than {self._threshold:g} "
                f"in {self._patience} iterations"
            )
