"""A random child of one program: parsed, varied in one of several ways, checked, and tried again."""

from collections.abc import Callable, Sequence
from random import Random

from .constants import vary_constants
from .mutation import Mutation, MutationError, Variation
from .source import Source

TRIES = 8
"""Attempts at a child that passes all checks; nearly all pass at the first."""

Vary = Callable[[Source, Random, int], Variation | None]
"""Applies up to so many operators of one kind; None where none of them applies."""

Ways = Callable[[Source, Random], Sequence[Vary]]
"""The kinds of change that suit a program, in the order in which they are tried."""


def numbers(source: Source, rng: Random) -> Sequence[Vary]:
    """Other numbers are all that suits every program."""
    return (vary_constants,)


def mutate(
    code: str,
    rng: Random,
    ways: Ways = numbers,
    *,
    max_operators: int = 3,
    max_code_length: int = 20_000,
) -> Mutation:
    """A child of ``code`` after one to ``max_operators`` random operators of one kind.

    Where the program has evolve blocks, nothing outside them changes. Equal code and equal state of ``rng``
    give an equal child.

    Raises MutationError if ``code`` is no Python or longer than ``max_code_length`` characters, or if no
    operator applies.
    """
    try:
        source = Source.parse(code, max_code_length)
        for vary in ways(source, rng):
            for _ in range(TRIES):
                found = vary(source, rng, rng.randint(1, max_operators))
                if found is None:
                    break
                if len(found.code) <= max_code_length and source.accepts(found.code):
                    return Mutation(found.code, found.operators, "; ".join(found.notes))
    except RecursionError as error:
        raise MutationError(
            "expected a program that can be rewritten, found one nested too deeply"
        ) from error
    raise MutationError("no operator applies: the program holds nothing that may be varied")
