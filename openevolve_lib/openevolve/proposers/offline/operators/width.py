"""Operators on the number of channels."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from ..layers import Conv
from ..model import Layer
from ..network import Network, map_layers
from .common import Edit, NotApplicableError, Operator, choose, scaled, stages

WIDER = (1.25, 1.5, 2.0)
NARROWER = (0.5, 0.67, 0.75)


def widen(network: Network, rng: Random) -> Edit:
    """More channels in one stage, or out of one convolution."""
    return _resize(network, rng, WIDER)


def narrow(network: Network, rng: Random) -> Edit:
    """Fewer channels in one stage, or out of one convolution."""
    return _resize(network, rng, NARROWER)


def scale_network(network: Network, rng: Random) -> Edit:
    """Every convolution wider, or every one narrower."""
    factor = rng.choice((0.5, 0.67, 0.75, 1.25, 1.5))
    return Edit(network.map(lambda layer: _scaled(layer, factor)), f"all convolutions {factor} times as wide")


def _resize(network: Network, rng: Random, factors: Sequence[float]) -> Edit | None:
    sites = network.sites(Conv)
    site, factor = choose(rng, sites), rng.choice(factors)
    if rng.random() < 0.5:
        width = scaled(site.layer.width, factor)
        child = network.splice(site.path, 1, (replace(site.layer, width=width),))
        return Edit(child, f"one convolution: {site.layer.width} → {width} channels")
    return _resize_stage(network, site.path[0], site.path[1], factor)


def _resize_stage(network: Network, number: int, index: int, factor: float) -> Edit | None:
    chain = network.chains[number]
    for order, span in enumerate(stages(chain.layers), start=1):
        if index in span:
            layers = chain.layers[span.start : span.stop]
            child = network.splice(
                (number, span.start), len(span), map_layers(layers, lambda x: _scaled(x, factor))
            )
            return Edit(child, f"{chain.attribute}, stage {order}: {factor} times as wide")
    return None


def _scaled(layer: Layer, factor: float) -> Layer:
    return replace(layer, width=scaled(layer.width, factor)) if isinstance(layer, Conv) else layer


OPERATORS = (
    Operator("widen", 2.0, widen),
    Operator("narrow", 2.0, narrow),
    Operator("scale_network", 1.0, scale_network),
)
