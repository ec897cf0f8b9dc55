"""A parent strategy with a setting of its own, and a gate."""

from typing import Annotated

from pydantic import Field

from openevolve.records.program import Context, Elite
from openevolve.search.baselines import AmongAll, members_of
from openevolve.settings.models import Config, Section
from openevolve.settings.registry import NoSettings, strategy
from openevolve.state.random import random_source
from openevolve.state.view import View


@strategy("parents", "ranked")
class Ranked(AmongAll):
    """Linear ranking (Baker, 1985): the best is ``pressure`` times as likely as the average program."""

    class Settings(Section):
        pressure: Annotated[float, Field(ge=1, le=2)] = 1.5

    def __init__(self, config: Config, settings: Settings) -> None:
        super().__init__(config, NoSettings())
        self.pressure = settings.pressure

    def parent(self, view: View, iteration: int) -> Elite:
        members = members_of(view)  # best first
        last = max(1, len(members) - 1)
        weights = [
            self.pressure - (2 * self.pressure - 2) * rank / last + 1e-9 for rank in range(len(members))
        ]
        rng = random_source(self.config.random_seed, iteration, "parent")
        return rng.choices(members, weights)[0]


@strategy("gate", "novel-lines")
class NovelLines:
    """Refuses a child that has no line of its own: it only leaves out or reorders lines of its parent."""

    def __init__(self, config: Config, settings: NoSettings) -> None:
        pass

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        known = {line.strip() for line in context.parent.program.code.splitlines()}
        if all(line.strip() in known for line in code.splitlines()):
            return "expected a line that the parent does not have, found none"
        return None
