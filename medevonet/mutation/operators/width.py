"""Operators on the number of channels."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from ..layers import Conv
from ..model import Layer
from ..network import Network, every_layer, map_layers
from .common import Edit, Operator, choose, scaled, stages

WIDER = (1.25, 1.5, 2.0)
NARROWER = (0.5, 0.67, 0.75)


def widen(network: Network, rng: Random) -> Edit:
    """More channels in one stage, or out of one convolution."""
    return rng.choice((_resize_stage, _resize_one))(network, rng, WIDER)


def narrow(network: Network, rng: Random) -> Edit:
    """Fewer channels in one stage, or out of one convolution."""
    return rng.choice((_resize_stage, _resize_one))(network, rng, NARROWER)


def scale_network(network: Network, rng: Random) -> Edit:
    """Every convolution wider, or every one narrower."""
    factor = rng.choice((*NARROWER, *WIDER))
    return Edit(network.map(lambda layer: _scaled(layer, factor)), f"all convolutions {factor} times as wide")


def _resize_one(network: Network, rng: Random, factors: Sequence[float]) -> Edit:
    site = choose(rng, network.sites(Conv))
    new = replace(site.layer, width=scaled(site.layer.width, rng.choice(factors)))
    note = f"one convolution: {site.layer.width} → {new.width} channels"
    return Edit(network.splice(site.path, 1, (new,)), note)


def _resize_stage(network: Network, rng: Random, factors: Sequence[float]) -> Edit:
    number, order, span = choose(
        rng,
        [
            (number, order, span)
            for number, chain in enumerate(network.chains)
            if not chain.fixed
            for order, span in enumerate(stages(chain.layers), start=1)
        ],
    )
    chain, factor = network.chains[number], rng.choice(factors)
    old = chain.layers[span.start : span.stop]
    new = map_layers(old, lambda layer: _scaled(layer, factor))
    note = f"{chain.attribute}, stage {order}: {_widths(old)} → {_widths(new)} channels"
    return Edit(network.splice((number, span.start), len(span), new), note)


def _scaled(layer: Layer, factor: float) -> Layer:
    return replace(layer, width=scaled(layer.width, factor)) if isinstance(layer, Conv) else layer


def _widths(layers: tuple[Layer, ...]) -> str:
    return "-".join(str(layer.width) for layer in every_layer(layers) if isinstance(layer, Conv))


OPERATORS = (
    Operator("widen", 2.0, widen),
    Operator("narrow", 2.0, narrow),
    Operator("scale_network", 1.0, scale_network),
)
