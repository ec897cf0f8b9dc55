"""Operators on kernels, strides and poolings."""

from dataclasses import replace
from random import Random

from ..layers import POOLS, AdaptivePool, Convolution, Depthwise, Pool
from ..network import Network, Site
from .common import Edit, Operator, choose, layer_after, path_after, unit

KERNELS = (1, 3, 5, 7)
OTHER_KIND = {
    "MaxPool2d": "AvgPool2d",
    "AvgPool2d": "MaxPool2d",
    "AdaptiveMaxPool2d": "AdaptiveAvgPool2d",
    "AdaptiveAvgPool2d": "AdaptiveMaxPool2d",
}


def change_kernel(network: Network, rng: Random) -> Edit:
    """A larger or smaller kernel, with the padding that keeps the size of the maps."""
    sites = [
        site
        for site in network.sites(Convolution)
        if site.layer.kernel in KERNELS and site.layer.padding == site.layer.kernel // 2
    ]
    site = choose(rng, sites)
    old = site.layer.kernel
    least = 3 if isinstance(site.layer, Depthwise) else 1
    kernel = rng.choice([size for size in KERNELS if size >= least and abs(size - old) == 2] or [3])
    new = replace(site.layer, kernel=kernel, padding=kernel // 2)
    return Edit(network.splice(site.path, 1, (new,)), f"a kernel of {old} → {kernel}")


def swap_pooling(network: Network, rng: Random) -> Edit:
    """Max pooling for average pooling, or the reverse."""
    sites: list[Site[Pool] | Site[AdaptivePool]] = [*network.sites(Pool), *network.sites(AdaptivePool)]
    site = choose(rng, sites)
    new = replace(site.layer, kind=OTHER_KIND[site.layer.kind])
    return Edit(network.splice(site.path, 1, (new,)), f"{site.layer.kind} → {new.kind}")


def pool_to_stride(network: Network, rng: Random) -> Edit:
    """A convolution of stride 2 for one that a pooling follows."""
    site = choose(rng, [site for site in _convolutions(network, stride=1) if _pooled(site)])
    new = (replace(site.layer, stride=2), *unit(site)[1:])
    return Edit(network.splice(site.path, len(new) + 1, new), "a stride of 2 for a pooling")


def stride_to_pool(network: Network, rng: Random) -> Edit:
    """A pooling after a convolution for its stride of 2."""
    site = choose(rng, _convolutions(network, stride=2))
    pool = Pool(2, 2, 0, rng.choice(POOLS))
    new = (replace(site.layer, stride=1), *unit(site)[1:], pool)
    return Edit(network.splice(site.path, len(new) - 1, new), f"a {pool.kind} for a stride of 2")


def add_pool(network: Network, rng: Random) -> Edit:
    """A pooling after a convolution: coarser maps, less work."""
    sites = [site for site in _convolutions(network, stride=1) if not site.nested and not _pooled(site)]
    site = choose(rng, sites)
    pool = Pool(2, 2, 0, rng.choice(POOLS))
    return Edit(network.splice(path_after(site), 0, (pool,)), f"a {pool.kind} added")


def remove_downsampling(network: Network, rng: Random) -> Edit:
    """A pooling less, or a stride of 1 for 2: finer maps, more work."""
    site = choose(rng, [site for site in network.sites(Pool, Convolution) if site.layer.stride == 2])
    new = () if isinstance(site.layer, Pool) else (replace(site.layer, stride=1),)
    return Edit(network.splice(site.path, 1, new), "a downsampling removed")


def _convolutions(network: Network, stride: int) -> list[Site[Convolution]]:
    return [site for site in network.sites(Convolution) if site.layer.stride == stride]


def _pooled(site: Site[Convolution]) -> bool:
    after = layer_after(site)
    return isinstance(after, Pool) and after.stride == 2


OPERATORS = (
    Operator("change_kernel", 1.5, change_kernel),
    Operator("swap_pooling", 1.0, swap_pooling),
    Operator("pool_to_stride", 1.0, pool_to_stride),
    Operator("stride_to_pool", 1.0, stride_to_pool),
    Operator("add_pool", 0.5, add_pool),
    Operator("remove_downsampling", 0.5, remove_downsampling),
)
