"""A network as chains of layers, the places in it that may be edited, and what makes an edit sound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from .layers import Convolution, Linear, Residual
from .model import Layer, Shape, ShapeError, render_sequence, shapes, total_cost

IMAGE_SIZES = (28, 64, 128, 224)
"""Sides of the square images, in pixels, that every complete network has to take."""

PART_SIZES = (*range(1, 33), *IMAGE_SIZES)
"""Sides of the maps at which a part of a network has to keep its output shape."""

MAX_PARAMETERS = 10_000_000
MIN_PARAMETERS = 2_000
MAX_MULTIPLY_ADDS = 60_000_000
"""For one image of 28 x 28 pixels."""
MAX_DEPTH = 40
"""Convolutions and dense layers; deeper chains only make an evaluation slow."""

Path = tuple[int, ...]
"""Where a layer is: its chain, its index there, then an index per residual body it lies in."""


@dataclass(frozen=True)
class Chain:
    """Layers that one attribute holds.

    A fixed chain is read but never rewritten: a call in ``forward``, or text outside an evolve block.
    """

    attribute: str
    layers: tuple[Layer, ...]
    fixed: bool = False


LayerT_co = TypeVar("LayerT_co", bound=Layer, covariant=True)


@dataclass(frozen=True)
class Site(Generic[LayerT_co]):
    """A layer that may be edited, with its neighbours (itself included) and the width that reaches it."""

    path: Path
    layer: LayerT_co
    siblings: tuple[Layer, ...]
    channels: int

    @property
    def index(self) -> int:
        return self.path[-1]

    @property
    def nested(self) -> bool:
        return len(self.path) > 2

    def sibling(self, index: int) -> Path:
        """Path of the neighbour at ``index``."""
        return (*self.path[:-1], index)


@dataclass(frozen=True)
class Network:
    """Chains in forward order.

    ``complete`` tells a whole network, from image to logits, from a part of one: around a part lies
    code that is not understood, so its output shape may not change.
    """

    start: Shape
    chains: tuple[Chain, ...]
    complete: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layer for chain in self.chains for layer in chain.layers)

    def shape_at(self, size: int) -> Shape:
        """The shape that enters when the images, or maps, are ``size`` pixels wide."""
        return self.start if self.start.flat else replace(self.start, size=size)

    def render(self, size: int = IMAGE_SIZES[-1]) -> list[str]:
        """Source text of every chain; raises ShapeError."""
        shape, texts = self.shape_at(size), []
        for chain in self.chains:
            single = len(chain.layers) == 1
            texts.append(chain.layers[0].render(shape) if single else render_sequence(chain.layers, shape))
            shape = shapes(chain.layers, shape)[-1]
        return texts

    def sites(self, *kinds: type[LayerT_co]) -> list[Site[LayerT_co]]:
        """Editable layers of ``kinds`` in forward order, residual bodies included."""
        found: list[Site[LayerT_co]] = []
        shape = self.shape_at(IMAGE_SIZES[-1])
        for number, chain in enumerate(self.chains):
            if not chain.fixed:
                found += _walk(chain.layers, (number,), shape, kinds)
            shape = shapes(chain.layers, shape)[-1]
        return found

    def splice(self, path: Path, length: int, new: tuple[Layer, ...]) -> "Network":
        """A copy with ``new`` in place of ``length`` layers from ``path`` on."""
        number, *rest = path
        chain = self.chains[number]
        chain = replace(chain, layers=_splice(chain.layers, tuple(rest), length, new))
        return replace(self, chains=(*self.chains[:number], chain, *self.chains[number + 1 :]))

    def map(self, change: Callable[[Layer], Layer]) -> "Network":
        """A copy with ``change`` applied to every editable layer; a residual block gets it on its body."""
        chains = (
            chain if chain.fixed else replace(chain, layers=map_layers(chain.layers, change))
            for chain in self.chains
        )
        return replace(self, chains=tuple(chains))


def map_layers(layers: tuple[Layer, ...], change: Callable[[Layer], Layer]) -> tuple[Layer, ...]:
    """``change`` applied to every layer, or to those of its body where it is a residual block."""
    return tuple(
        Residual(map_layers(layer.body, change)) if isinstance(layer, Residual) else change(layer)
        for layer in layers
    )


def every_layer(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Layers in forward order, each residual block followed by those of its body."""
    for layer in layers:
        yield layer
        if isinstance(layer, Residual):
            yield from every_layer(layer.body)


def check(child: Network, parent: Network) -> None:
    """Raise ShapeError unless ``child`` may stand where ``parent`` stands."""
    texts = child.render()
    for chain, old, new in zip(parent.chains, parent.render(), texts, strict=True):
        if chain.fixed and old != new:
            raise ShapeError(f"{chain.attribute} is fixed and would have to become {new}")
    if child.complete:
        _check_complete(child, parent, texts)
    elif any(_output(child, size) != _output(parent, size) for size in PART_SIZES):
        raise ShapeError("the output shape of a part of a network changed")


def _check_complete(child: Network, parent: Network, texts: list[str]) -> None:
    if any(child.render(size) != texts for size in IMAGE_SIZES):
        raise ShapeError("the layers depend on the size of the image")
    last = child.layers[-1]
    if not isinstance(last, Linear) or last != parent.layers[-1]:
        raise ShapeError("the last layer has to stay the dense layer that gives the logits")
    depth = sum(isinstance(layer, Convolution | Linear) for layer in every_layer(child.layers))
    cost, before = (total_cost(net.layers, net.shape_at(IMAGE_SIZES[0])) for net in (child, parent))
    # A parent that somebody else wrote may lie outside the limits: its children may come closer.
    if (
        not min(MIN_PARAMETERS, before.parameters)
        <= cost.parameters
        <= max(MAX_PARAMETERS, before.parameters)
        or cost.multiply_adds > max(MAX_MULTIPLY_ADDS, before.multiply_adds)
        or depth > MAX_DEPTH
    ):
        raise ShapeError(f"the network is out of bounds: {cost}, {depth} weighted layers")


def _output(network: Network, size: int) -> Shape | None:
    try:
        return shapes(network.layers, network.shape_at(size))[-1]
    except ShapeError:
        return None


def _walk(
    layers: tuple[Layer, ...], prefix: Path, shape: Shape, kinds: tuple[type[LayerT_co], ...]
) -> Iterator[Site[LayerT_co]]:
    for index, (layer, before) in enumerate(zip(layers, shapes(layers, shape), strict=False)):
        path = (*prefix, index)
        if isinstance(layer, kinds):
            yield Site(path, layer, layers, before.channels)
        if isinstance(layer, Residual):
            yield from _walk(layer.body, path, before, kinds)


def _splice(layers: tuple[Layer, ...], path: Path, length: int, new: tuple[Layer, ...]) -> tuple[Layer, ...]:
    index, *rest = path
    if not rest:
        return layers[:index] + new + layers[index + length :]
    block = layers[index]
    if not isinstance(block, Residual):
        raise TypeError(f"path leads into a {type(block).__name__}, which holds no layers")
    body = _splice(block.body, tuple(rest), length, new)
    return (*layers[:index], Residual(body), *layers[index + 1 :])
