"""Operators that build and dissolve blocks: separable convolutions, residual blocks, channel gates."""

from random import Random

from ..layers import Activation, Conv, Convolution, Depthwise, Residual, SqueezeExcitation
from ..network import Network, Site
from .common import Edit, Operator, choose, conv_unit, depthwise_unit, layer_after, path_after, scaled, unit

COLOURS = 4
"""Up to this many input channels, each is a colour: no depthwise convolution and no shortcut there."""


def make_separable(network: Network, rng: Random) -> Edit:
    """A depthwise and a pointwise convolution (Howard et al., arXiv 1704.04861) for a dense one."""
    site = choose(rng, _dense(network))
    old = site.layer
    pointwise = Conv(kernel=1, stride=1, padding=0, bias=old.bias, width=old.width)
    new = (*depthwise_unit(network, old.kernel, old.stride, old.padding), pointwise)
    note = f"a separable convolution for a dense one of {old.width} channels"
    return Edit(network.splice(site.path, 1, new), note)


def make_dense(network: Network, rng: Random) -> Edit:
    """A dense convolution for a depthwise and a pointwise one."""
    pairs = [(site, after) for site in network.sites(Depthwise) if (after := _pointwise(site))]
    site, pointwise = choose(rng, pairs)
    old = site.layer
    dense = Conv(old.kernel, old.stride, old.padding, pointwise.bias, pointwise.width)
    child = network.splice(site.path, len(unit(site)) + 1, (dense,))
    return Edit(child, f"a dense convolution for a separable one of {dense.width} channels")


def make_bottleneck(network: Network, rng: Random) -> Edit:
    """An inverted residual block (Sandler et al., arXiv 1801.04381) for a dense convolution."""
    site = choose(rng, [site for site in _dense(network) if not site.nested])
    old, expanded = site.layer, scaled(site.channels, rng.choice((1.0, 2.0, 3.0)))
    projection = conv_unit(network, old.width, kernel=1)
    body = (
        *conv_unit(network, expanded, kernel=1),
        *depthwise_unit(network, old.kernel, old.stride, old.padding),
        *(layer for layer in projection if not isinstance(layer, Activation)),
    )
    child = network.splice(site.path, len(unit(site)), (Residual(body),))
    return Edit(child, f"an inverted residual block, {expanded} channels inside and {old.width} out")


def add_residual(network: Network, rng: Random) -> Edit:
    """A shortcut around one to three convolutions."""
    sites = [site for site in network.sites(Convolution) if not site.nested]
    first = choose(rng, [number for number, site in enumerate(sites) if site.channels > COLOURS])
    start = sites[first]
    body = unit(start)
    for site in sites[first + 1 : first + rng.choice((1, 1, 2, 2, 3))]:
        if site.path != start.sibling(start.index + len(body)):
            break
        body += unit(site)
    count = sum(isinstance(layer, Convolution) for layer in body)
    note = "a shortcut around " + ("a convolution" if count == 1 else f"{count} convolutions")
    return Edit(network.splice(start.path, len(body), (Residual(body),)), note)


def remove_residual(network: Network, rng: Random) -> Edit:
    """A residual block replaced by its body."""
    site = choose(rng, network.sites(Residual))
    return Edit(network.splice(site.path, 1, site.layer.body), "a shortcut removed")


def add_squeeze_excitation(network: Network, rng: Random) -> Edit:
    """A channel gate after a convolution or a residual block."""
    sites = network.sites(Convolution, Residual)
    site = choose(rng, [site for site in sites if SqueezeExcitation not in map(type, unit(site))])
    gate = SqueezeExcitation(reduction=rng.choice((4, 8, 16)))
    note = f"a squeeze-excitation gate, reduction {gate.reduction}, added"
    return Edit(network.splice(path_after(site), 0, (gate,)), note)


def remove_squeeze_excitation(network: Network, rng: Random) -> Edit:
    """A channel gate less."""
    site = choose(rng, network.sites(SqueezeExcitation))
    return Edit(network.splice(site.path, 1, ()), "a squeeze-excitation gate removed")


def _dense(network: Network) -> list[Site[Conv]]:
    return [site for site in network.sites(Conv) if site.layer.kernel > 1 and site.channels > COLOURS]


def _pointwise(site: Site[Depthwise]) -> Conv | None:
    """The pointwise convolution right after a depthwise one."""
    after = layer_after(site)
    pointwise = isinstance(after, Conv) and (after.kernel, after.stride, after.padding) == (1, 1, 0)
    return after if isinstance(after, Conv) and pointwise else None


OPERATORS = (
    Operator("make_separable", 2.0, make_separable),
    Operator("make_dense", 0.5, make_dense),
    Operator("make_bottleneck", 1.0, make_bottleneck),
    Operator("add_residual", 2.0, add_residual),
    Operator("remove_residual", 0.5, remove_residual),
    Operator("add_squeeze_excitation", 2.0, add_squeeze_excitation),
    Operator("remove_squeeze_excitation", 0.5, remove_squeeze_excitation),
)
