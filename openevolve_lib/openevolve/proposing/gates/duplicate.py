"""Refuses a program that has been measured, or is being measured."""

from openevolve.proposing.gates.base import ConfiguredGate
from openevolve.records.program import Context
from openevolve.settings.registry import strategy
from openevolve.state.view import View


@strategy("gate", "duplicate")
class DuplicateGate(ConfiguredGate):
    """The same program as an earlier one, but for comments and layout."""

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        iteration = view.same_program(code)
        if iteration is None:
            return None
        return (
            f"expected a program that has not been tried, found that of iteration {iteration} again "
            f"({view.fate(iteration)})"
        )
