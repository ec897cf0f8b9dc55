"""A gate: what is refused before anything is measured, with the reason, so that its author can mend it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings
from openevolve.state.view import View


class Gate(Protocol):
    """Built as ``Gate(config, settings)``."""

    def refusal(self, code: str, context: Context, view: View) -> str | None:
        """Why the program is not worth measuring; None: it is."""
        ...


def guard(
    gates: Mapping[str, Gate], context: Context, view: View, refused: Callable[[str, str], None]
) -> Callable[[Proposal], str | None]:
    """All gates in turn, for one iteration; ``refused(gate, reason)`` is told of each refusal."""

    def refuse(proposal: Proposal) -> str | None:
        for name, gate in gates.items():
            reason = gate.refusal(proposal.code or "", context, view)
            if reason is not None:
                refused(name, reason)
                return reason
        return None

    return refuse


class ConfiguredGate:
    """Keeps the settings that a gate is built with."""

    def __init__(self, config: Config, settings: NoSettings) -> None:
        self.config = config
        self.settings = settings
