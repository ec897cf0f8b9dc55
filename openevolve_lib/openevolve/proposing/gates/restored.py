"""Refuses a child that mostly brings back what was deleted on its own lineage."""

from typing import Annotated

from pydantic import Field

from openevolve.population.axes import line_set
from openevolve.records.program import Context
from openevolve.settings.models import Config, Fraction, Section
from openevolve.settings.registry import strategy
from openevolve.state.view import View


@strategy("gate", "restored-lines")
class RestoredLines:
    """A child of whose added lines more than ``share`` stood in an ancestor and are not in its parent.

    In 121 runs of other systems about 30% of added lines brought back what had been deleted. Fewer than
    ``least`` such lines are let through: an import that is needed again is no step back.
    """

    class Settings(Section):
        share: Fraction = 0.6
        least: Annotated[int, Field(ge=1)] = 4

    def __init__(self, config: Config, settings: Settings) -> None:
        self.settings = settings

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        added, restored = restored_lines(code, context, view)
        if len(restored) < self.settings.least or len(restored) <= self.settings.share * len(added):
            return None
        return (
            f"expected new lines, found {len(restored)} of {len(added)} that an earlier version of "
            f"this program had and that were deleted since, such as {min(restored)!r}; try something else"
        )


def restored_lines(code: str, context: Context, view: View) -> tuple[set[str], set[str]]:
    """The lines that a child adds to its parent, and those of them that an ancestor had."""
    parent = line_set(context.parent.program.code)
    added = set(line_set(code) - parent)
    earlier = {
        line for program in view.ancestors(context.parent.id)[1:] for line in line_set(program.code) - parent
    }
    return added, added & earlier
