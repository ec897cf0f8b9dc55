"""Operators on the number of convolutions and stages."""

from random import Random

from ..layers import Conv, Convolution, Pool, Residual
from ..model import Layer
from ..network import Network, every_layer
from .common import Edit, NotApplicableError, Operator, choose, conv_unit, downsamples, scaled, separable_unit, stages, unit_end


def add_conv(network: Network, rng: Random) -> Edit:
    """One more convolution of equal width after another."""
    sites = network.sites(Conv)
    site = choose(rng, sites)
    name, unit = rng.choice((("dense", conv_unit), ("depthwise separable", separable_unit)))
    new = unit(network, site.layer.width)
    child = network.splice(site.sibling(unit_end(site.siblings, site.index)), 0, new)
    return Edit(child, f"a {name} convolution of {site.layer.width} channels added")


def remove_conv(network: Network, rng: Random) -> Edit:
    """One convolution or residual block less, where it does not downsample."""
    sites = [
        site
        for site in network.sites(Convolution, Residual)
        if not downsamples(site.layer) and _weighted(site.siblings) > 1
    ]
    if not sites or _weighted(network.layers) < 2:
        return None
    site = choose(rng, sites)
    length = unit_end(site.siblings, site.index) - site.index
    name = "residual block" if isinstance(site.layer, Residual) else "convolution"
    return Edit(network.splice(site.path, length, ()), f"a {name} removed")


def add_stage(network: Network, rng: Random) -> Edit:
    """A stage of half the resolution at the end of the last chain with stages."""
    places = [(number, span) for number, span in _stages(network)]
    number, span = places[-1]
    layers = network.chains[number].layers
    widths = [part.width for part in every_layer(network.layers) if isinstance(part, Conv)]
    if not widths:
        return None
    width = scaled(widths[-1], rng.choice((1.0, 1.5, 2.0)))
    pooled = span.stop < len(layers) and isinstance(layers[span.stop], Pool)
    new = conv_unit(network, width, stride=1 if pooled else 2)
    child = network.splice((number, span.stop + pooled), 0, new)
    return Edit(child, f"a stage of {width} channels added")


def remove_stage(network: Network, rng: Random) -> Edit:
    """One stage less, with the pooling after it."""
    places = list(_stages(network))
    if len(places) < 2:
        return None
    number, span = choose(rng, places)
    layers = network.chains[number].layers
    pooled = span.stop < len(layers) and isinstance(layers[span.stop], Pool)
    order = places.index((number, span)) + 1
    return Edit(network.splice((number, span.start), len(span) + pooled, ()), f"stage {order} removed")


def _stages(network: Network) -> list[tuple[int, range]]:
    chains = enumerate(network.chains)
    return [(number, span) for number, chain in chains if not chain.fixed for span in stages(chain.layers)]


def _weighted(layers: tuple[Layer, ...]) -> int:
    return sum(isinstance(layer, Convolution | Residual) for layer in layers)


OPERATORS = (
    Operator("add_conv", 2.0, add_conv),
    Operator("remove_conv", 1.0, remove_conv),
    Operator("add_stage", 1.0, add_stage),
    Operator("remove_stage", 0.5, remove_stage),
)
