"""Operators that build and dissolve blocks: separable convolutions, residual blocks, channel gates."""

from random import Random

from ..layers import Conv, Convolution, Depthwise, Norm, Residual, SqueezeExcitation
from ..network import Network, Site
from .common import Edit, Operator, choose, conv_unit, decoration, scaled, unit_end

COLOURS = 4
"""Up to this many input channels, each is a colour: no depthwise convolution and no shortcut there."""


def make_separable(network: Network, rng: Random) -> Edit:
    """A depthwise and a pointwise convolution (Howard et al., arXiv 1704.04861) for a dense one."""
    sites = _dense(network)
    site = choose(rng, sites)
    old, style = site.layer, decoration(network)
    depthwise = Depthwise(old.kernel, old.stride, old.padding, bias=not _normalised(style))
    pointwise = Conv(kernel=1, stride=1, padding=0, bias=old.bias, width=old.width)
    child = network.splice(site.path, 1, (depthwise, *style, pointwise))
    return Edit(child, f"a separable convolution for a dense one of {old.width} channels")


def make_dense(network: Network, rng: Random) -> Edit:
    """A dense convolution for a depthwise and a pointwise one."""
    sites = [site for site in network.sites(Depthwise) if _pointwise(site)]
    site = choose(rng, sites)
    end = unit_end(site.siblings, site.index)
    old, pointwise = site.layer, _pointwise(site)
    assert pointwise is not None
    dense = Conv(old.kernel, old.stride, old.padding, pointwise.bias, pointwise.width)
    child = network.splice(site.path, end + 1 - site.index, (dense,))
    return Edit(child, f"a dense convolution for a separable one of {dense.width} channels")


def make_bottleneck(network: Network, rng: Random) -> Edit:
    """An inverted residual block (Sandler et al., arXiv 1801.04381) for a dense convolution."""
    sites = [site for site in _dense(network) if not site.nested]
    site = choose(rng, sites)
    old, style = site.layer, decoration(network)
    expanded = scaled(site.channels, rng.choice((1.0, 2.0, 3.0)))
    body = (
        *conv_unit(network, expanded, kernel=1),
        Depthwise(old.kernel, old.stride, old.padding, bias=not _normalised(style)),
        *style,
        Conv(kernel=1, stride=1, padding=0, bias=not _normalised(style), width=old.width),
        *(layer for layer in style if isinstance(layer, Norm)),
    )
    length = unit_end(site.siblings, site.index) - site.index
    child = network.splice(site.path, length, (Residual(body),))
    return Edit(child, f"an inverted residual block, {expanded} channels inside and {old.width} out")


def add_residual(network: Network, rng: Random) -> Edit:
    """A shortcut around one to three convolutions."""
    sites = [s for s in network.sites(Convolution) if not s.nested and s.channels > COLOURS]
    site = choose(rng, sites)
    wanted, count, end = rng.choice((1, 1, 2, 2, 3)), 0, site.index
    while count < wanted and end < len(site.siblings) and isinstance(site.siblings[end], Convolution):
        count, end = count + 1, unit_end(site.siblings, end)
    body = site.siblings[site.index : end]
    child = network.splice(site.path, len(body), (Residual(body),))
    return Edit(child, "a shortcut around " + ("a convolution" if count == 1 else f"{count} convolutions"))


def remove_residual(network: Network, rng: Random) -> Edit:
    """A residual block replaced by its body."""
    sites = network.sites(Residual)
    site = choose(rng, sites)
    return Edit(network.splice(site.path, 1, site.layer.body), "a shortcut removed")


def add_squeeze_excitation(network: Network, rng: Random) -> Edit:
    """A channel gate after a convolution or a residual block."""
    sites = [
        site
        for site in network.sites(Convolution, Residual)
        if SqueezeExcitation not in map(type, site.siblings[site.index : unit_end(site.siblings, site.index)])
    ]
    site = choose(rng, sites)
    gate = SqueezeExcitation(reduction=rng.choice((4, 8, 16)))
    child = network.splice(site.sibling(unit_end(site.siblings, site.index)), 0, (gate,))
    return Edit(child, f"a squeeze-excitation gate, reduction {gate.reduction}, added")


def remove_squeeze_excitation(network: Network, rng: Random) -> Edit:
    """A channel gate less."""
    sites = network.sites(SqueezeExcitation)
    return Edit(network.splice(choose(rng, sites).path, 1, ()), "a squeeze-excitation gate removed")


def _dense(network: Network) -> list[Site[Conv]]:
    return [site for site in network.sites(Conv) if site.layer.kernel > 1 and site.channels > COLOURS]


def _pointwise(site: Site[Depthwise]) -> Conv | None:
    """The pointwise convolution right after a depthwise one."""
    end = unit_end(site.siblings, site.index)
    after = site.siblings[end] if end < len(site.siblings) else None
    return (
        after if isinstance(after, Conv) and after.kernel == after.stride == 1 and not after.padding else None
    )


def _normalised(style: tuple[object, ...]) -> bool:
    return any(isinstance(layer, Norm) for layer in style)


OPERATORS = (
    Operator("make_separable", 2.0, make_separable),
    Operator("make_dense", 0.5, make_dense),
    Operator("make_bottleneck", 1.0, make_bottleneck),
    Operator("add_residual", 2.0, add_residual),
    Operator("remove_residual", 0.5, remove_residual),
    Operator("add_squeeze_excitation", 2.0, add_squeeze_excitation),
    Operator("remove_squeeze_excitation", 0.5, remove_squeeze_excitation),
)
