"""A typed model of the layers that the operators understand.

A layer keeps only what is free to choose (output width, kernel, rate). What PyTorch wants besides
(input width, groups, ``c * h * w`` of the first dense layer, the projection of a shortcut) follows
from the shape that reaches the layer, so an edit can never leave two layers that disagree.
"""

from dataclasses import dataclass
from textwrap import indent

from .model import Cost, Layer, Shape, ShapeError, render_sequence, shapes, total_cost

UNKNOWN_OUTPUTS = 10
"""Outputs assumed for a last layer whose width is a name (``num_classes``) when costs are counted."""

ACTIVATIONS = ("ReLU", "LeakyReLU", "GELU", "SiLU", "Hardswish", "Mish", "ELU", "ReLU6")
IMAGE_NORMS = ("BatchNorm2d", "GroupNorm")
VECTOR_NORMS = ("BatchNorm1d", "LayerNorm")
POOLS = ("MaxPool2d", "AvgPool2d")
ADAPTIVE_POOLS = ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d")
DROPOUTS = ("Dropout", "Dropout2d")


def _call(name: str, *positional: object, **keywords: object) -> str:
    arguments = [str(value) for value in positional] + [f"{key}={value}" for key, value in keywords.items()]
    return f"nn.{name}({', '.join(arguments)})"


@dataclass(frozen=True)
class Window(Layer):
    """What convolutions and poolings share: a window that slides over maps."""

    kernel: int
    stride: int
    padding: int

    def _options(self, default_stride: int) -> dict[str, object]:
        options: dict[str, object] = {}
        if self.stride != default_stride:
            options["stride"] = self.stride
        if self.padding:
            options["padding"] = self.padding
        return options


@dataclass(frozen=True)
class Convolution(Window):
    """A convolution, dense or depthwise."""

    bias: bool


@dataclass(frozen=True)
class Conv(Convolution):
    """Dense convolution to ``width`` channels."""

    width: int

    def out(self, shape: Shape) -> Shape:
        return Shape(self.width, shape.resized(self.kernel, self.stride, self.padding))

    def render(self, shape: Shape) -> str:
        options = self._options(default_stride=1)
        if not self.bias:
            options["bias"] = False
        return _call("Conv2d", shape.channels, self.width, kernel_size=self.kernel, **options)

    def cost(self, shape: Shape) -> Cost:
        weights = shape.channels * self.width * self.kernel**2
        return Cost(weights + self.width * self.bias, weights * self.out(shape).size ** 2)


@dataclass(frozen=True)
class Depthwise(Convolution):
    """Convolution of each channel by itself (``groups`` equal to the channels)."""

    def out(self, shape: Shape) -> Shape:
        return Shape(shape.channels, shape.resized(self.kernel, self.stride, self.padding))

    def render(self, shape: Shape) -> str:
        width = shape.channels
        options = self._options(default_stride=1) | {"groups": width}
        if not self.bias:
            options["bias"] = False
        return _call("Conv2d", width, width, kernel_size=self.kernel, **options)

    def cost(self, shape: Shape) -> Cost:
        weights = shape.channels * self.kernel**2
        return Cost(weights + shape.channels * self.bias, weights * self.out(shape).size ** 2)


@dataclass(frozen=True)
class Pool(Window):
    """Max or average pooling with a fixed window."""

    kind: str

    def out(self, shape: Shape) -> Shape:
        if 2 * self.padding > self.kernel:
            raise ShapeError("the padding of a pooling is at most half its window")
        return Shape(shape.channels, shape.resized(self.kernel, self.stride, self.padding))

    def render(self, shape: Shape) -> str:
        return _call(self.kind, self.kernel, **self._options(default_stride=self.kernel))


@dataclass(frozen=True)
class AdaptivePool(Layer):
    """Pooling to ``grid`` x ``grid`` cells, whatever the size of the maps."""

    kind: str
    grid: int

    def out(self, shape: Shape) -> Shape:
        if shape.flat:
            raise ShapeError("pooling needs maps, found vectors")
        return Shape(shape.channels, self.grid)

    def render(self, shape: Shape) -> str:
        return _call(self.kind, self.grid)


@dataclass(frozen=True)
class Norm(Layer):
    """Normalisation. ``groups`` is an upper bound for GroupNorm, and without meaning for the others."""

    kind: str
    groups: int = 8

    def out(self, shape: Shape) -> Shape:
        if shape.flat != (self.kind in VECTOR_NORMS):
            raise ShapeError(f"{self.kind} does not take {'vectors' if shape.flat else 'maps'}")
        if self.kind == "BatchNorm2d" and shape.size == 1:
            # A last batch of one image would leave one value a channel, which PyTorch refuses to train on.
            raise ShapeError("BatchNorm2d needs maps larger than 1 x 1")
        return shape

    def fitting_groups(self, channels: int) -> int:
        """Most groups that divide ``channels`` and hold two channels or more (see ``out``)."""
        most = max(1, min(self.groups, channels // 2))
        return max(count for count in range(1, most + 1) if channels % count == 0)

    def render(self, shape: Shape) -> str:
        if self.kind == "GroupNorm":
            return _call(self.kind, self.fitting_groups(shape.channels), shape.channels)
        return _call(self.kind, shape.width)

    def cost(self, shape: Shape) -> Cost:
        return Cost(2 * shape.width)


@dataclass(frozen=True)
class Activation(Layer):
    """A pointwise nonlinearity; ``slope`` is LeakyReLU's, where it is not the default."""

    kind: str
    slope: float | None = None

    def render(self, shape: Shape) -> str:
        return _call(self.kind) if self.slope is None else _call(self.kind, self.slope)


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout of values, or of whole maps (Dropout2d), with probability ``rate``."""

    rate: float
    kind: str = "Dropout"

    def out(self, shape: Shape) -> Shape:
        if shape.flat and self.kind == "Dropout2d":
            raise ShapeError("Dropout2d needs maps, found vectors")
        return shape

    def render(self, shape: Shape) -> str:
        return _call(self.kind, self.rate)


@dataclass(frozen=True)
class Flatten(Layer):
    """Maps to vectors."""

    def out(self, shape: Shape) -> Shape:
        return Shape(shape.channels, shape.size, flat=True)

    def render(self, shape: Shape) -> str:
        return _call("Flatten")


@dataclass(frozen=True)
class Linear(Layer):
    """Dense layer; ``width`` is the text of an expression where it is not a number."""

    width: int | str
    bias: bool = True

    @property
    def outputs(self) -> int:
        return self.width if isinstance(self.width, int) else UNKNOWN_OUTPUTS

    def out(self, shape: Shape) -> Shape:
        if not shape.flat:
            raise ShapeError("Linear needs vectors, found maps")
        return Shape(self.outputs, 1, flat=True)

    def render(self, shape: Shape) -> str:
        fan_in = f"{shape.channels} * {shape.size} * {shape.size}" if shape.size > 1 else str(shape.channels)
        return _call("Linear", fan_in, self.width, **({} if self.bias else {"bias": False}))

    def cost(self, shape: Shape) -> Cost:
        weights = shape.width * self.outputs
        return Cost(weights + self.outputs * self.bias, weights)


@dataclass(frozen=True)
class SqueezeExcitation(Layer):
    """Scales each channel by a gate computed from the mean of all maps (Hu et al., arXiv 1709.01507).

    Its class is one of the helpers that the writer adds to the program.
    """

    reduction: int

    def out(self, shape: Shape) -> Shape:
        if shape.flat:
            raise ShapeError("SqueezeExcitation needs maps, found vectors")
        return shape

    def render(self, shape: Shape) -> str:
        return f"SqueezeExcitation({shape.channels}, reduction={self.reduction})"

    def cost(self, shape: Shape) -> Cost:
        hidden = max(4, shape.channels // self.reduction)  # as in helpers.SQUEEZE_EXCITATION
        weights = 2 * hidden * shape.channels
        return Cost(weights + hidden + shape.channels, weights)


@dataclass(frozen=True)
class Residual(Layer):
    """Adds its input to what ``body`` makes of it (He et al., arXiv 1512.03385)."""

    body: tuple[Layer, ...]

    def shortcut(self, shape: Shape) -> Conv | None:
        """The 1 x 1 projection that gives the input the body's shape, or None where they are equal."""
        end = shapes(self.body, shape)[-1]
        if end == shape:
            return None
        stride = 1 if end.size == shape.size else 2
        projection = Conv(kernel=1, stride=stride, padding=0, bias=False, width=end.channels)
        if projection.out(shape) != end:
            raise ShapeError(f"no 1 x 1 projection leads from {shape} to {end}")
        return projection

    def out(self, shape: Shape) -> Shape:
        self.shortcut(shape)
        return shapes(self.body, shape)[-1]

    def render(self, shape: Shape) -> str:
        lines = [render_sequence(self.body, shape)]
        shortcut = self.shortcut(shape)
        if shortcut is not None:
            lines.append(f"shortcut={shortcut.render(shape)}")
        return "Residual(\n" + "".join(indent(line, "    ") + ",\n" for line in lines) + ")"

    def cost(self, shape: Shape) -> Cost:
        shortcut = self.shortcut(shape)
        return total_cost(self.body, shape) + (shortcut.cost(shape) if shortcut else Cost())
