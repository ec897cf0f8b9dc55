"""What the offline operators return, and how they say that they cannot."""

from dataclasses import dataclass


class MutationError(Exception):
    """No operator applies: the text is no Python, is too long, or holds nothing that may be varied."""


@dataclass(frozen=True)
class Mutation:
    """A child program.

    ``code`` never equals the parent's; ``operators`` names what was applied, in order; ``summary`` is one
    sentence for people: ``"0.01 → 0.0124; 100 → 87"``.
    """

    code: str
    operators: tuple[str, ...]
    summary: str


@dataclass(frozen=True)
class Variation:
    """A varied program, not yet checked; names of the operators applied, and a note on each."""

    code: str
    operators: tuple[str, ...]
    notes: tuple[str, ...]
