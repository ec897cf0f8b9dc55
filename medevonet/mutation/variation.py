"""The two operators of evolution on networks: mutate one program, cross two."""

import math
from dataclasses import replace
from functools import partial
from random import Random

import libcst as cst

from openevolve.proposing.offline import Mutation, MutationError, Source, Variation, Vary
from openevolve.proposing.offline import mutate as mutate_in_ways
from openevolve.proposing.offline.constants import vary_constants
from openevolve.proposing.offline.variation import TRIES

from .calls import pytorch_names
from .crossover import cross
from .expressions import vary_expressions
from .model import ShapeError
from .network import Network, check
from .operators import OPERATORS, Edit, NotApplicableError, Operator
from .reader import Located, find_networks
from .writer import writable, write


def mutate(code: str, rng: Random, *, max_operators: int = 3, max_code_length: int = 20_000) -> Mutation:
    """A child of ``code`` after one to ``max_operators`` random operators.

    Networks whose layers are understood are rebuilt; other PyTorch programs get edits that cannot change a
    shape; any other program gets other numbers. All else is as in ``openevolve.proposing.offline.mutate``,
    which says what is raised.
    """
    return mutate_in_ways(code, rng, _ways, max_operators=max_operators, max_code_length=max_code_length)


def crossover(first: str, second: str, rng: Random, *, max_code_length: int = 20_000) -> Mutation | None:
    """``first`` with stages, and perhaps the head, of ``second``.

    None if the layers of one of them are not wholly understood, or no crossing gives a new program.
    """
    try:
        ours, theirs = Source.parse(first, max_code_length), Source.parse(second, max_code_length)
        mother, father = _whole(ours), _whole(theirs)
    except (MutationError, RecursionError):
        return None
    if mother is None or father is None:
        return None
    for _ in range(TRIES):
        edit = cross(mother.network, father.network, rng)
        if edit is None or not _fits(ours, mother, edit.network):
            continue
        code = write(ours, mother, edit.network)
        new = edit.network.layers != father.network.layers
        if new and len(code) <= max_code_length and ours.accepts(code):
            return Mutation(code, ("crossover",), edit.note)
    return None


def _ways(source: Source, rng: Random) -> list[Vary]:
    """Kinds of change in the order in which they are tried."""
    if "nn" not in pytorch_names(source):
        return [vary_constants]
    floats = partial(vary_constants, kinds=(cst.Float,))  # integers of a network are its shapes
    networks = find_networks(source)
    whole = [located for located in networks if located.network.complete]
    if whole:
        return [partial(_vary_network, whole), vary_expressions, floats]
    kinds: list[Vary] = [partial(_vary_network, networks), vary_expressions]
    rng.shuffle(kinds)
    return [*kinds, floats]


def _vary_network(networks: list[Located], source: Source, rng: Random, count: int) -> Variation | None:
    """Up to ``count`` operators on one of the networks, or None where none applies to it."""
    if not networks:
        return None
    located = rng.choice(networks)
    current, names, notes = located, [], []
    for operator in _shuffled(rng):
        edit = attempt(operator, source, current, rng)
        if edit:
            current = replace(current, network=edit.network)
            names.append(operator.name)
            notes.append(edit.note)
        if len(names) == count:
            break
    return Variation(write(source, located, current.network), tuple(names), tuple(notes)) if names else None


def attempt(operator: Operator, source: Source, located: Located, rng: Random) -> Edit | None:
    """An operator's edit, or None where it has no place or its result does not fit the program."""
    try:
        edit = operator.apply(located.network, rng)
    except NotApplicableError:
        return None
    return edit if edit.network != located.network and _fits(source, located, edit.network) else None


def _shuffled(rng: Random) -> list[Operator]:
    """All operators in random order, the heavier ones earlier (Efraimidis and Spirakis, 2006)."""
    return sorted(OPERATORS, key=lambda operator: math.log(1 - rng.random()) / operator.weight, reverse=True)


def _fits(source: Source, located: Located, child: Network) -> bool:
    """Whether ``child`` may stand in the program in place of the network."""
    try:
        check(child, located.network)
    except ShapeError:
        return False
    return writable(source, located, child)


def _whole(source: Source) -> Located | None:
    return next((located for located in find_networks(source) if located.network.complete), None)
