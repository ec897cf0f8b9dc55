"""Operators on activations, normalisation and biases."""

from dataclasses import replace
from random import Random

from ..layers import IMAGE_NORMS, Activation, Convolution, Norm
from ..model import Layer
from ..network import Network
from .common import Edit, NotApplicableError, Operator, choose

CHOICES = ("ReLU", "LeakyReLU", "GELU", "SiLU", "Hardswish", "Mish")


def swap_activation(network: Network, rng: Random) -> Edit:
    """Another activation for all of one kind."""
    kinds = sorted({site.layer.kind for site in network.sites(Activation)})
    old = choose(rng, kinds)
    new = rng.choice([kind for kind in CHOICES if kind != old])

    def swap(layer: Layer) -> Layer:
        return Activation(new) if isinstance(layer, Activation) and layer.kind == old else layer

    return Edit(network.map(swap), f"{old} → {new}")


def swap_normalization(network: Network, rng: Random) -> Edit:
    """GroupNorm for every BatchNorm, or the reverse."""
    kinds = {site.layer.kind for site in network.sites(Norm)} & set(IMAGE_NORMS)
    new = "BatchNorm2d" if "GroupNorm" in kinds else "GroupNorm"

    def swap(layer: Layer) -> Layer:
        return Norm(new) if isinstance(layer, Norm) and layer.kind in IMAGE_NORMS else layer

    return Edit(network.map(swap), f"{new} everywhere")


def drop_bias(network: Network, rng: Random) -> Edit:
    """No bias in convolutions right before a normalisation, which takes any constant out again."""
    sites = [
        site
        for site in network.sites(Convolution)
        if site.layer.bias and any(isinstance(after, Norm) for after in site.siblings[site.index + 1 :][:1])
    ]
    child = network
    for site in sites:
        child = child.splice(site.path, 1, (replace(site.layer, bias=False),))
    return Edit(child, "no bias before a normalisation")


OPERATORS = (
    Operator("swap_activation", 1.5, swap_activation),
    Operator("swap_normalization", 0.75, swap_normalization),
    Operator("drop_bias", 0.5, drop_bias),
)
