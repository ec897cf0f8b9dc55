"""Reading calls such as ``nn.Conv2d(3, 32, 3)`` as layers of the model."""

import libcst as cst

from openevolve.proposing.offline import Source

from . import layers
from .model import Layer, Shape, shapes

MAX_INTEGER = 100_000
"""Larger widths, kernels or groups are no network that the operators should touch."""

CONV2D = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "bias",
)
SIGNATURES: dict[str, tuple[str, ...]] = {
    "Conv2d": CONV2D,
    "GroupNorm": ("num_groups", "num_channels"),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "LayerNorm": ("normalized_shape",),
    "Flatten": ("start_dim", "end_dim"),
    "Linear": ("in_features", "out_features", "bias"),
    **dict.fromkeys(layers.POOLS, ("kernel_size", "stride", "padding")),
    **dict.fromkeys(layers.ADAPTIVE_POOLS, ("output_size",)),
    **dict.fromkeys(layers.DROPOUTS, ("p", "inplace")),
    **dict.fromkeys(layers.ACTIVATIONS, ("inplace",)),
    "LeakyReLU": ("negative_slope", "inplace"),
    "GELU": (),
}

USUAL_NAMES = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}

INPUT_WIDTHS = ("in_channels", "in_features", "num_channels", "num_features", "normalized_shape")


class NotUnderstoodError(Exception):
    """The code is outside what the model of layers covers; it may be perfectly good code."""


def pytorch_names(source: Source) -> frozenset[str]:
    """Which of ``torch``, ``nn`` and ``F`` the program has imported under these names."""
    return frozenset(name for name, target in USUAL_NAMES.items() if (name, target) in source.imports)


def dotted_name(node: cst.BaseExpression) -> str:
    """``nn.ReLU`` for such a chain of names, and an empty text for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        owner = dotted_name(node.value)
        return f"{owner}.{node.attr.value}" if owner else ""
    return ""


def text_of(node: cst.CSTNode) -> str:
    """Source text of a node."""
    return cst.Module(body=[]).code_for_node(node)


def integer(node: cst.BaseExpression) -> int:
    """Value of an integer or of a product of integers such as ``128 * 7 * 7``; raises NotUnderstoodError."""
    if isinstance(node, cst.Integer) and (value := node.evaluated_value) <= MAX_INTEGER:
        return value
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        return -integer(node.expression)
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        return integer(node.left) * integer(node.right)
    raise NotUnderstoodError(f"{text_of(node)} is not an integer of reasonable size")


class Arguments:
    """Arguments of one call by name; each is taken once, and ``close`` refuses what is left over."""

    def __init__(self, call: cst.Call, names: tuple[str, ...]) -> None:
        self._values: dict[str, cst.BaseExpression] = {}
        positions = iter(names)
        for argument in call.args:
            name = argument.keyword.value if argument.keyword else next(positions, "")
            if argument.star or name not in names or name in self._values:
                raise NotUnderstoodError(f"arguments outside the model in {text_of(call)}")
            self._values[name] = argument.value

    def expression(self, name: str) -> cst.BaseExpression:
        if name not in self._values:
            raise NotUnderstoodError(f"the argument {name} is missing")
        return self._values.pop(name)

    def optional(self, name: str) -> cst.BaseExpression | None:
        return self._values.pop(name, None)

    def integer(self, name: str, default: int | None = None, least: int = 1) -> int:
        if default is not None and name not in self._values:
            return default
        value = integer(self.expression(name))
        if value < least:
            raise NotUnderstoodError(f"{name} is {value}, the model covers {least} and more")
        return value

    def fraction(self, name: str, default: float) -> float:
        node = self._values.pop(name, None)
        if node is None:
            return default
        value = node.evaluated_value if isinstance(node, cst.Integer | cst.Float) else -1
        if not 0 <= value <= 1:
            raise NotUnderstoodError(f"{name} is not a number from 0 to 1")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        node = self._values.pop(name, None)
        if node is None:
            return default
        if dotted_name(node) not in ("True", "False"):
            raise NotUnderstoodError(f"{name} is neither True nor False")
        return dotted_name(node) == "True"

    def expect(self, name: str, value: int) -> None:
        if self.integer(name) != value:
            raise NotUnderstoodError(f"{name} does not fit the layer before, which gives {value}")

    def close(self) -> None:
        if self._values:
            raise NotUnderstoodError(f"arguments outside the model: {', '.join(self._values)}")


def read_layers(node: cst.BaseExpression, shape: Shape, helpers: frozenset[str]) -> tuple[Layer, ...]:
    """Layers that an expression builds for inputs of ``shape``.

    ``helpers`` names the helper classes that the program defines. Raises NotUnderstoodError where a layer
    or an argument is outside the model, or a width is not the one that the layer before gives, and
    ShapeError where a layer cannot take its input.
    """
    if not isinstance(node, cst.Call):
        raise NotUnderstoodError(f"{text_of(node)} is not a call")
    name = dotted_name(node.func)
    if name == "nn.Identity":
        return ()
    if name == "nn.Sequential":
        return _sequential(node, shape, helpers)
    if name in helpers:
        layer = _residual(node, shape, helpers) if name == "Residual" else _squeeze_excitation(node, shape)
    elif name.startswith("nn."):
        layer = read_call(name.removeprefix("nn."), node, shape)
    else:
        raise NotUnderstoodError(f"{text_of(node)} is outside the model")
    layer.out(shape)
    return (layer,)


def read_call(kind: str, call: cst.Call, shape: Shape) -> Layer:
    """The layer that a call of PyTorch's ``kind`` builds; raises NotUnderstoodError."""
    if kind not in SIGNATURES:
        raise NotUnderstoodError(f"{kind} is outside the model")
    arguments = Arguments(call, SIGNATURES[kind])
    layer = _layer(kind, arguments, shape)
    arguments.close()
    return layer


def input_width(node: cst.BaseExpression) -> int:
    """The input width that the first layer with one declares; raises NotUnderstoodError if there is none."""
    if isinstance(node, cst.Call):
        names = SIGNATURES.get(dotted_name(node.func).removeprefix("nn."), ())
        declared = [name for name in names if name in INPUT_WIDTHS]
        if declared:
            return Arguments(node, names).integer(declared[0])
        for argument in node.args:
            try:
                return input_width(argument.value)
            except NotUnderstoodError:
                continue
    raise NotUnderstoodError("no layer declares its input width")


def _layer(kind: str, arguments: Arguments, shape: Shape) -> Layer:
    match kind:
        case "Conv2d":
            return _convolution(arguments, shape)
        case "Linear":
            return _linear(arguments, shape)
        case "GroupNorm":
            return _group_norm(arguments, shape)
        case "BatchNorm1d" | "BatchNorm2d" | "LayerNorm":
            arguments.expect(SIGNATURES[kind][0], shape.width)
            return layers.Norm(kind)
        case "MaxPool2d" | "AvgPool2d":
            kernel = arguments.integer("kernel_size")
            stride, padding = arguments.integer("stride", kernel), arguments.integer("padding", 0, least=0)
            return layers.Pool(kernel, stride, padding, kind)
        case "AdaptiveAvgPool2d" | "AdaptiveMaxPool2d":
            return layers.AdaptivePool(kind, arguments.integer("output_size"))
        case "Flatten":
            if (arguments.integer("start_dim", 1), arguments.integer("end_dim", -1, least=-1)) != (1, -1):
                raise NotUnderstoodError("a partial flatten is outside the model")
            return layers.Flatten()
    arguments.flag("inplace", False)  # not kept: inside a residual block it would overwrite the shortcut
    if kind in layers.DROPOUTS:
        return layers.Dropout(arguments.fraction("p", 0.5), kind)
    slope = arguments.fraction("negative_slope", 0.01)
    return layers.Activation(kind, None if slope == 0.01 else slope)


def _convolution(arguments: Arguments, shape: Shape) -> Layer:
    arguments.expect("in_channels", shape.width)
    if arguments.integer("dilation", 1) != 1:
        raise NotUnderstoodError("dilated convolutions are outside the model")
    width, kernel = arguments.integer("out_channels"), arguments.integer("kernel_size")
    stride, padding = arguments.integer("stride", 1), arguments.integer("padding", 0, least=0)
    groups, bias = arguments.integer("groups", 1), arguments.flag("bias", True)
    if groups == 1:
        return layers.Conv(kernel, stride, padding, bias, width)
    if groups == shape.width == width:
        return layers.Depthwise(kernel, stride, padding, bias)
    raise NotUnderstoodError("other grouped convolutions than depthwise ones are outside the model")


def _linear(arguments: Arguments, shape: Shape) -> Layer:
    arguments.expect("in_features", shape.width)
    node, bias = arguments.expression("out_features"), arguments.flag("bias", True)
    try:
        return layers.Linear(integer(node), bias)
    except NotUnderstoodError:
        return layers.Linear(text_of(node), bias)


def _group_norm(arguments: Arguments, shape: Shape) -> Layer:
    arguments.expect("num_channels", shape.width)
    layer = layers.Norm("GroupNorm", arguments.integer("num_groups"))
    if layer.fitting_groups(shape.channels) != layer.groups:
        raise NotUnderstoodError("a number of groups that the model would not choose")
    return layer


def _squeeze_excitation(call: cst.Call, shape: Shape) -> Layer:
    arguments = Arguments(call, ("channels", "reduction"))
    arguments.expect("channels", shape.width)
    return layers.SqueezeExcitation(arguments.integer("reduction"))


def _residual(call: cst.Call, shape: Shape, helpers: frozenset[str]) -> Layer:
    arguments = Arguments(call, ("body", "shortcut"))
    layer = layers.Residual(read_layers(arguments.expression("body"), shape, helpers))
    expected, written = layer.shortcut(shape), arguments.optional("shortcut")
    found = read_layers(written, shape, helpers) if written else ()
    if found != ((expected,) if expected else ()):
        raise NotUnderstoodError("a shortcut that the model would not choose")
    return layer


def _sequential(call: cst.Call, shape: Shape, helpers: frozenset[str]) -> tuple[Layer, ...]:
    found: tuple[Layer, ...] = ()
    for argument in call.args:
        if argument.star or argument.keyword:
            raise NotUnderstoodError("nn.Sequential of unpacked layers is outside the model")
        inner = read_layers(argument.value, shape, helpers)
        shape = shapes(inner, shape)[-1]
        found += inner
    return found
