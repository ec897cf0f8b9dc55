"""Crossing two networks: stages of both, and the head of one."""

from dataclasses import dataclass, replace
from random import Random

from .layers import AdaptivePool, Flatten, Linear
from .model import Layer
from .network import Network
from .operators.common import Edit, stages


@dataclass(frozen=True)
class _Trunk:
    """Layers up to the head, in the one chain that holds all stages; a stage begins at each of ``starts``."""

    chain: int
    layers: tuple[Layer, ...]
    starts: tuple[int, ...]


def cross(first: Network, second: Network, rng: Random) -> Edit | None:
    """``first`` with stages, and perhaps the head, of ``second``; None where one has no such parts.

    One-point crossover with a cut of its own in each parent, so that depth may change as well. The result
    is not yet checked.
    """
    head = _with_head_of(second, first) if rng.random() < 0.5 else None
    base, source = (head, "second") if head else (first, "first")
    ours, theirs = _trunk(base), _trunk(second)
    if ours is None or theirs is None:
        return None
    cut, other = rng.randrange(len(ours.starts) + 1), rng.randrange(len(theirs.starts))
    kept = ours.layers[: (*ours.starts, len(ours.layers))[cut]]
    taken = theirs.layers[theirs.starts[other] :]
    child = base.splice((ours.chain, 0), len(ours.layers), kept + taken)
    counts = f"{cut} stages of the first parent, {len(theirs.starts) - other} of the second"
    return Edit(child, f"{counts}, head of the {source}")


def _trunk(network: Network) -> _Trunk | None:
    chains = [(n, chain.layers) for n, chain in enumerate(network.chains) if not chain.fixed]
    staged = [(number, layers, stages(layers)) for number, layers in chains if stages(layers)]
    if len(staged) != 1:
        return None
    number, layers, spans = staged[0]
    heads = (
        index for index, layer in enumerate(layers) if isinstance(layer, AdaptivePool | Flatten | Linear)
    )
    return _Trunk(number, layers[: next(heads, len(layers))], tuple(span.start for span in spans))


def _with_head_of(donor: Network, network: Network) -> Network | None:
    """``network`` with the last pooling and the hidden layers of ``donor``."""
    pools, donated = network.sites(AdaptivePool), donor.sites(AdaptivePool)
    if not pools or not donated or network.chains[-1].fixed:
        return None
    network = network.splice(pools[-1].path, 1, (donated[-1].layer,))
    *others, last = network.chains
    hidden = donor.chains[-1].layers[_hidden_start(donor) : -1]
    layers = (*last.layers[: _hidden_start(network)], *hidden, last.layers[-1])
    return replace(network, chains=(*others, replace(last, layers=layers)))


def _hidden_start(network: Network) -> int:
    """Index in the last chain where the hidden layers begin: after its pooling and flatten."""
    layers = enumerate(network.chains[-1].layers, start=1)
    return max((index for index, layer in layers if isinstance(layer, AdaptivePool | Flatten)), default=0)
