"""What the operators share: an edit, units of layers, stages, and how widths are rounded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TypeVar

from ..layers import (
    IMAGE_NORMS,
    Activation,
    AdaptivePool,
    Conv,
    Convolution,
    Depthwise,
    Dropout,
    Flatten,
    Linear,
    Norm,
    Pool,
    Residual,
    SqueezeExcitation,
    Window,
)
from ..model import Layer
from ..network import Network, Path, Site, every_layer

T = TypeVar("T")

MIN_WIDTH, MAX_WIDTH, WIDTH_STEP = 8, 512, 8
POINTWISE = (Norm, Activation, SqueezeExcitation, Dropout)


class NotApplicableError(Exception):
    """The network has no place for the operator."""


@dataclass(frozen=True)
class Edit:
    """A proposed network, not yet checked, and what was done to get it."""

    network: Network
    note: str


Change = Callable[[Network, Random], Edit]
"""Raises NotApplicableError where the network has no place for the operator."""


@dataclass(frozen=True)
class Operator:
    """A named change; ``weight`` is its share when operators are drawn."""

    name: str
    weight: float
    apply: Change


def choose(rng: Random, candidates: Sequence[T]) -> T:
    """One of the places for an operator; raises NotApplicableError if there is none."""
    if not candidates:
        raise NotApplicableError
    return rng.choice(candidates)


def scaled(width: int, factor: float) -> int:
    """``width`` times ``factor``, as a multiple of 8 from 8 to 512."""
    steps = max(1, round(width * factor / WIDTH_STEP))
    return min(MAX_WIDTH, max(MIN_WIDTH, steps * WIDTH_STEP))


def unit(site: Site[Layer]) -> tuple[Layer, ...]:
    """The convolution or block at ``site`` with the pointwise layers that follow it."""
    end = site.index + 1
    while end < len(site.siblings) and isinstance(site.siblings[end], POINTWISE):
        end += 1
    return site.siblings[site.index : end]


def path_after(site: Site[Layer]) -> Path:
    """Where the unit at ``site`` has ended."""
    return site.sibling(site.index + len(unit(site)))


def layer_after(site: Site[Layer]) -> Layer | None:
    """What follows the unit at ``site``."""
    return next(iter(site.siblings[site.index + len(unit(site)) :]), None)


def style(network: Network) -> tuple[Layer, ...]:
    """The normalisation and the activation that the network uses first, to follow a new convolution."""
    layers = list(every_layer(network.layers))
    norms = [layer for layer in layers if isinstance(layer, Norm) and layer.kind in IMAGE_NORMS]
    activations = [layer for layer in layers if isinstance(layer, Activation)]
    return (*norms[:1], *activations[:1])


def conv_unit(network: Network, width: int, kernel: int = 3, stride: int = 1) -> tuple[Layer, ...]:
    """A dense convolution in the style of the network."""
    after = style(network)
    bias = not any(isinstance(layer, Norm) for layer in after)
    return (Conv(kernel, stride, kernel // 2, bias, width), *after)


def depthwise_unit(network: Network, kernel: int = 3, stride: int = 1, padding: int = 1) -> tuple[Layer, ...]:
    """A depthwise convolution in the style of the network."""
    after = style(network)
    bias = not any(isinstance(layer, Norm) for layer in after)
    return (Depthwise(kernel, stride, padding, bias), *after)


def downsamples(layer: Layer) -> bool:
    """Whether maps leave ``layer`` smaller than they came."""
    return any(isinstance(part, Window) and part.stride > 1 for part in every_layer((layer,)))


def stages(layers: tuple[Layer, ...]) -> list[range]:
    """Index ranges of the stages of a chain: stretches with convolutions between two downsamplings.

    A stage begins with the layer that downsamples, where that is a convolution, and ends before a pooling.
    """
    head = (index for index, layer in enumerate(layers) if isinstance(layer, AdaptivePool | Flatten | Linear))
    end = next(head, len(layers))
    cuts = {0, end}
    for index, layer in enumerate(layers[:end]):
        if isinstance(layer, Pool):
            cuts |= {index, index + 1}
        elif downsamples(layer):
            cuts.add(index)
    ordered = sorted(cuts)
    spans = (range(start, stop) for start, stop in pairwise(ordered))
    return [span for span in spans if any(isinstance(layers[i], Convolution | Residual) for i in span)]
