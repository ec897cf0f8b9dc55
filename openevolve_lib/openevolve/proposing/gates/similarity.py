"""Refuses a proposal that says again what it was shown."""

from openevolve.population.axes import dissimilarity, line_set
from openevolve.proposing.gates.base import ConfiguredGate
from openevolve.records.program import Context
from openevolve.settings.registry import strategy
from openevolve.state.view import View


@strategy("gate", "similarity")
class SimilarityGate(ConfiguredGate):
    """A program that shares ``database.similarity_threshold`` of its lines with one of its prompt."""

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        threshold = self.config.database.similarity_threshold
        if threshold >= 1:
            return None
        lines = line_set(code)
        for shown in (context.parent, *context.top, *context.inspirations):
            similarity = 1 - dissimilarity(lines, line_set(shown.program.code))
            if similarity >= threshold:
                return f"expected less than {threshold:g} of the lines of {shown.id}, found {similarity:.3f}"
        return None
