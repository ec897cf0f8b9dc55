"""The interface of a layer: shape in, shape out, source text and cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent


class ShapeError(Exception):
    """A layer cannot take the shape that reaches it."""


@dataclass(frozen=True)
class Shape:
    """What flows between two layers: square maps (B, channels, size, size), or (B, width) once ``flat``."""

    channels: int
    size: int
    flat: bool = False

    @property
    def width(self) -> int:
        """The input width that the next layer has to declare."""
        return self.channels * self.size**2 if self.flat else self.channels

    def resized(self, kernel: int, stride: int, padding: int) -> int:
        """Side of the map after a window slides over it; raises ShapeError where nothing is left."""
        if self.flat:
            raise ShapeError("a sliding window needs maps, found vectors")
        size = (self.size + 2 * padding - kernel) // stride + 1
        if size < 1 or self.size + 2 * padding < kernel:
            raise ShapeError(f"a window of {kernel} does not fit a map of {self.size}")
        return size


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-adds of one image."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


class Layer:
    """One step of a network."""

    def render(self, shape: Shape) -> str:
        """The expression that builds the layer for inputs of ``shape``."""
        raise NotImplementedError

    def out(self, shape: Shape) -> Shape:
        """The shape after the layer; raises ShapeError if it cannot take ``shape``."""
        return shape

    def cost(self, shape: Shape) -> Cost:
        """What the layer costs for inputs of ``shape``."""
        return Cost()


def shapes(layers: Sequence[Layer], shape: Shape) -> list[Shape]:
    """The shape before each layer, then the one after the last; raises ShapeError."""
    found = [shape]
    for layer in layers:
        found.append(layer.out(found[-1]))
    return found


def total_cost(layers: Sequence[Layer], shape: Shape) -> Cost:
    """Summed cost of ``layers`` on inputs of ``shape``; raises ShapeError."""
    steps = zip(layers, shapes(layers, shape), strict=False)  # one shape more than layers
    return sum((layer.cost(before) for layer, before in steps), Cost())


def render_sequence(layers: Sequence[Layer], shape: Shape) -> str:
    """``nn.Sequential(...)``, a line a layer; raises ShapeError."""
    if not layers:
        return "nn.Identity()"
    steps = zip(layers, shapes(layers, shape), strict=False)
    lines = "".join(indent(layer.render(before), "    ") + ",\n" for layer, before in steps)
    return f"nn.Sequential(\n{lines})"
