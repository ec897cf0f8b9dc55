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
from ..network import Network, every_layer

T = TypeVar("T")

MIN_WIDTH, MAX_WIDTH, WIDTH_STEP = 8, 512, 8


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


def unit_end(layers: tuple[Layer, ...], start: int) -> int:
    """End (exclusive) of the convolution or block at ``start`` with the pointwise layers that follow it."""
    end = start + 1
    while end < len(layers) and isinstance(layers[end], Norm | Activation | SqueezeExcitation | Dropout):
        end += 1
    return end


def decoration(network: Network) -> tuple[Layer, ...]:
    """The normalisation and the activation that the network uses first, to follow a new convolution."""
    layers = list(every_layer(network.layers))
    norms = [layer for layer in layers if isinstance(layer, Norm) and layer.kind in IMAGE_NORMS]
    activations = [layer for layer in layers if isinstance(layer, Activation)]
    return (*norms[:1], *activations[:1])


def conv_unit(network: Network, width: int, kernel: int = 3, stride: int = 1) -> tuple[Layer, ...]:
    """A dense convolution in the style of the network."""
    style = decoration(network)
    bias = not any(isinstance(layer, Norm) for layer in style)
    return (Conv(kernel, stride, kernel // 2, bias, width), *style)


def separable_unit(network: Network, width: int, kernel: int = 3, stride: int = 1) -> tuple[Layer, ...]:
    """A depthwise and a pointwise convolution in the style of the network."""
    style = decoration(network)
    bias = not any(isinstance(layer, Norm) for layer in style)
    depthwise = Depthwise(kernel, stride, kernel // 2, bias)
    return (depthwise, *style, *conv_unit(network, width, kernel=1))


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
