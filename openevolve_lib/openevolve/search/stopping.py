"""When a run takes no new iterations: its budget, early stopping, a request."""

from openevolve.settings.models import BudgetConfig, Config
from openevolve.state.state import State

TARGET_REACHED = "target_score reached"


class Stopping:
    """Collects the reason to stop; the first one stays."""

    def __init__(self, config: Config, state: State) -> None:
        self._budget = config.budget
        self._share = dict.fromkeys(("hours", "evaluations"), 1 - config.final_share)  # for the search
        self._state = state
        self._target = config.target_score
        self._early = EarlyStopping(config, state) if config.early_stopping_patience else None
        self.reason: str | None = None
        self.asked = False  # to begin nothing more; a limit lets what was begun in an earlier session end

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason

    def limit(self, budget: BudgetConfig) -> None:
        """Other limits from now on; one that has been reached stays reached."""
        self._budget = budget

    def ask(self, reason: str) -> None:
        """Stop at somebody's request."""
        self.asked = True
        self.stop(reason)

    def leaves_no_evaluation(self, under_way: int) -> bool:
        """Whether what is under way may take all that ``budget.evaluations`` leaves."""
        limit = self._budget.evaluations
        return limit is not None and self._state.evaluations + under_way >= limit * self._share["evaluations"]

    def reached(self, elapsed: float) -> bool:
        """True once a limit is reached; ``elapsed`` in seconds."""
        budget, usage = self._budget, self._state.usage
        bounded = f" ({usage.in_words()})" if usage.calls_without_usage else ""
        spent = [
            ("dollars", usage.cost_at_most, budget.dollars, bounded),
            ("tokens", usage.tokens_at_most, budget.tokens, bounded),
            ("hours", elapsed / 3600, budget.hours, ""),
            ("evaluations", self._state.evaluations, budget.evaluations, ""),
        ]
        for name, value, limit, note in spent:
            share = self._share.get(name, 1)
            if limit is not None and value >= limit * share:
                note += (
                    "" if share == 1 else f" ({share:.0%} of it are for the search, the rest for the final)"
                )
                self.stop(f"budget.{name} reached: {value:g} of {limit:g}{note}")
        if self._target is not None and (best := self._state.population.best()):
            score = self._state.population.fitness(best[0].metrics)
            if score >= self._target:
                self.stop(f"{TARGET_REACHED}: {score:g} of {self._target:g}")
        if self._early is not None and (reason := self._early.reason()):
            self.stop(reason)
        return self.reason is not None


class EarlyStopping:
    """Stops after ``early_stopping_patience`` iterations without a gain of a metric, fitness by default."""

    def __init__(self, config: Config, state: State) -> None:
        self._patience = config.early_stopping_patience or 0
        self._threshold = config.convergence_threshold
        self._metric = config.early_stopping_metric
        self._state = state
        self._seen = 0  # of the state's commits
        self._best: float | None = None
        self._best_at = 0
        self._latest = 0

    def reason(self) -> str | None:
        """Why the run should stop by now; None: it should not."""
        for iteration in self._state.committed[self._seen :]:
            self._follow(iteration)
        self._seen = len(self._state.committed)
        if self._latest - self._best_at < self._patience:
            return None
        return (
            f"early stopping: {self._metric or self._state.config.database.fitness_metric} has not risen by "
            f"more than {self._threshold:g} in {self._patience} iterations"
        )

    def _follow(self, iteration: int) -> None:
        outcome = self._state.outcomes[iteration]
        self._latest = max(self._latest, iteration)
        if not outcome.evaluated:
            return
        if self._metric is None:
            value = self._state.population.fitness(outcome.metrics)
        else:
            found = outcome.metrics.get(self._metric)
            if found is None:
                return
            value = found
        if self._best is None or value > self._best + self._threshold:
            self._best, self._best_at = value, iteration
