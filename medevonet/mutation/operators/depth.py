"""Operators on the number of convolutions and stages."""

from random import Random

from ..layers import Conv, Convolution, Pool, Residual
from ..model import Layer
from ..network import Network, every_layer
from .common import (
    Edit,
    Operator,
    choose,
    conv_unit,
    depthwise_unit,
    downsamples,
    path_after,
    scaled,
    stages,
    unit,
)


def add_conv(network: Network, rng: Random) -> Edit:
    """One more convolution of equal width after another."""
    site = choose(rng, network.sites(Conv))
    width, kind = site.layer.width, rng.choice(("dense", "separable"))
    separable = (*depthwise_unit(network), *conv_unit(network, width, kernel=1))
    new = conv_unit(network, width) if kind == "dense" else separable
    return Edit(network.splice(path_after(site), 0, new), f"a {kind} convolution of {width} channels added")


def remove_conv(network: Network, rng: Random) -> Edit:
    """One convolution or residual block less, where it does not downsample and is not the only one."""
    sites = network.sites(Convolution, Residual)
    spare = [site for site in sites if _weighted(site.siblings) > 1 and not downsamples(site.layer)]
    site = choose(rng, spare)
    name = "residual block" if isinstance(site.layer, Residual) else "convolution"
    return Edit(network.splice(site.path, len(unit(site)), ()), f"a {name} removed")


def add_stage(network: Network, rng: Random) -> Edit:
    """A stage of half the resolution after the last one."""
    number, span = choose(rng, _stages(network)[-1:])
    layers = network.chains[number].layers
    last = choose(rng, [layer for layer in every_layer(layers) if isinstance(layer, Conv)][-1:])
    width = scaled(last.width, rng.choice((1.0, 1.5, 2.0)))
    pooled = _pooled(layers, span)
    new = conv_unit(network, width, stride=1 if pooled else 2)
    return Edit(network.splice((number, span.stop + pooled), 0, new), f"a stage of {width} channels added")


def remove_stage(network: Network, rng: Random) -> Edit:
    """One stage of several less, with the pooling after it."""
    places = _stages(network)
    number, span = choose(rng, places if len(places) > 1 else [])
    length = len(span) + _pooled(network.chains[number].layers, span)
    order = places.index((number, span)) + 1
    return Edit(network.splice((number, span.start), length, ()), f"stage {order} of {len(places)} removed")


def _stages(network: Network) -> list[tuple[int, range]]:
    chains = enumerate(network.chains)
    return [(number, span) for number, chain in chains if not chain.fixed for span in stages(chain.layers)]


def _pooled(layers: tuple[Layer, ...], span: range) -> bool:
    """Whether a pooling ends the stage."""
    return span.stop < len(layers) and isinstance(layers[span.stop], Pool)


def _weighted(layers: tuple[Layer, ...]) -> int:
    return sum(isinstance(layer, Convolution | Residual) for layer in layers)


OPERATORS = (
    Operator("add_conv", 2.0, add_conv),
    Operator("remove_conv", 1.0, remove_conv),
    Operator("add_stage", 1.0, add_stage),
    Operator("remove_stage", 0.5, remove_stage),
)
