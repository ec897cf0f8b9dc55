"""Operators on activations, normalisation and biases."""

from dataclasses import replace
from random import Random

from ..layers import ACTIVATIONS, IMAGE_NORMS, Activation, Convolution, Norm
from ..model import Layer
from ..network import Network, Site
from .common import Edit, NotApplicableError, Operator, choose


def swap_activation(network: Network, rng: Random) -> Edit:
    """Another activation for all of one kind."""
    old = choose(rng, sorted({site.layer.kind for site in network.sites(Activation)}))
    new = rng.choice([kind for kind in ACTIVATIONS if kind != old])

    def swap(layer: Layer) -> Layer:
        return Activation(new) if isinstance(layer, Activation) and layer.kind == old else layer

    return Edit(network.map(swap), f"{old} → {new}")


def swap_normalization(network: Network, rng: Random) -> Edit:
    """GroupNorm for every BatchNorm, or the reverse."""
    kinds = [site.layer.kind for site in network.sites(Norm) if site.layer.kind in IMAGE_NORMS]
    old = choose(rng, kinds[:1])
    new = Norm("GroupNorm" if old == "BatchNorm2d" else "BatchNorm2d")

    def swap(layer: Layer) -> Layer:
        return new if isinstance(layer, Norm) and layer.kind in IMAGE_NORMS else layer

    return Edit(network.map(swap), f"{old} → {new.kind}")


def drop_bias(network: Network, rng: Random) -> Edit:
    """No bias in convolutions right before a BatchNorm, which takes any constant out again."""
    sites = [site for site in network.sites(Convolution) if site.layer.bias and _before_batch_norm(site)]
    if not sites:
        raise NotApplicableError
    for site in sites:
        network = network.splice(site.path, 1, (replace(site.layer, bias=False),))
    return Edit(network, "no bias before a BatchNorm")


def _before_batch_norm(site: Site[Convolution]) -> bool:
    after = site.siblings[site.index + 1 : site.index + 2]
    return any(isinstance(layer, Norm) and layer.kind == "BatchNorm2d" for layer in after)


OPERATORS = (
    Operator("swap_activation", 1.5, swap_activation),
    Operator("swap_normalization", 0.75, swap_normalization),
    Operator("drop_bias", 0.5, drop_bias),
)
