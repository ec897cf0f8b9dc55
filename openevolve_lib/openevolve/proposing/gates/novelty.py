"""Refuses what has nearly been tried, before anything is trained (as ShinkaEvolve does, arXiv 2509.19349)."""

from typing import Annotated

from pydantic import Field

from openevolve.population.axes import dissimilarity, line_set
from openevolve.records.program import Context
from openevolve.settings.models import Config, Section
from openevolve.settings.registry import strategy
from openevolve.state.view import View


@strategy("gate", "novelty")
class NoveltyGate:
    """A program that shares ``most_alike`` of its lines with any other than its parent.

    ShinkaEvolve compares embeddings and asks a model about close ones; here lines are compared (the Jaccard
    index of the sets of stripped lines). A small change of the parent is no repetition: refinement is one.
    """

    class Settings(Section):
        most_alike: Annotated[float, Field(gt=0, le=1)] = 0.97

    def __init__(self, config: Config, settings: Settings) -> None:
        self.settings = settings

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        lines = line_set(code)
        for program in view.programs():
            if program.id == context.parent.id:
                continue
            alike = 1 - dissimilarity(lines, line_set(program.code))
            if lines and alike >= self.settings.most_alike:
                return (
                    f"expected a new program, found one that shares {alike:.0%} of its lines with that of "
                    f"iteration {program.iteration} ({_one_line(view.fate(program.iteration))})"
                )
        return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
