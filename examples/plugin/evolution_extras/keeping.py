"""A population, and an executor."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from openevolve.evaluating.local import LocalExecutor
from openevolve.population.axes import Axis
from openevolve.population.database import Database
from openevolve.population.island import Cell
from openevolve.records.program import Elite, Outcome
from openevolve.settings.registry import strategy

log = logging.getLogger("openevolve")


@strategy("population", "one-cell")
class OneCell(Database):
    """No map: an island keeps its best program and forgets the worst of the others first."""

    def cell(self, elite: Elite, axes: Sequence[Axis] | None = None) -> Cell:
        super().cell(elite, axes)  # an axis without its metric is still an error
        return tuple(0 for _ in self.axes)


@strategy("executor", "tallied")
class Tallied(LocalExecutor):
    """Local processes; the run's log says at the end how evaluations ended."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._ended: Counter[str] = Counter()

    async def evaluate(self, *given: Any, **options: Any) -> Outcome:
        outcome = await super().evaluate(*given, **options)
        self._ended[outcome.failure or ("scored" if outcome.evaluated else "rejected")] += 1
        return outcome

    def close(self) -> None:
        if self._ended:
            log.info("evaluations: %s", dict(self._ended))
        super().close()
