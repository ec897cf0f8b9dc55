"""Reading ``forward`` as a straight line through the attributes of a module."""

import libcst as cst

from .calls import Arguments, NotUnderstoodError, dotted_name, integer, read_call
from .layers import AdaptivePool, Flatten
from .model import Layer, Shape

FUNCTIONS = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "hardswish": "Hardswish",
    "mish": "Mish",
    "elu": "ELU",
    "relu6": "ReLU6",
    "max_pool2d": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d",
    "adaptive_max_pool2d": "AdaptiveMaxPool2d",
}
"""Functions of ``torch.nn.functional``, and the layers that do the same."""

ANYWHERE = Shape(channels=1, size=1)
"""The layers in FUNCTIONS read the same at every shape."""

Step = str | tuple[Layer, ...]
"""An attribute of ``self`` that is called, or the layers that another call amounts to."""


def read_forward(function: cst.FunctionDef) -> list[Step]:
    """The steps from input to result; raises NotUnderstoodError unless each feeds only the next."""
    names = [parameter.name.value for parameter in function.params.params]
    if len(names) != 2 or not isinstance(function.body, cst.IndentedBlock):
        raise NotUnderstoodError("forward has to take self and one input")
    owner, value = names
    steps: list[Step] = []
    for number, line in enumerate(function.body.body):
        match line:
            case cst.SimpleStatementLine(body=[cst.Return(value=cst.BaseExpression() as result)]):
                return steps + _pipeline(result, owner, value)
            case cst.SimpleStatementLine(
                body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=result)]
            ):
                steps += _pipeline(result, owner, value)
                value = name
            case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString())]) if number == 0:
                continue
            case _:
                break
    raise NotUnderstoodError("forward is not a straight line of calls")


def _pipeline(node: cst.BaseExpression, owner: str, value: str) -> list[Step]:
    """Steps of an expression such as ``self.head(self.body(x).flatten(1))`` from the variable ``value``."""
    if isinstance(node, cst.Name) and node.value == value:
        return []
    if not isinstance(node, cst.Call):
        raise NotUnderstoodError("a step of forward is not a call")
    name = dotted_name(node.func)
    if name.startswith("torch.") or name.startswith("F."):
        return _function(name.partition(".")[2], node, owner, value)
    if name.startswith(f"{owner}.") and name.count(".") == 1:
        if len(node.args) != 1 or node.args[0].keyword or node.args[0].star:
            raise NotUnderstoodError(f"{name} is not called with one value")
        return [*_pipeline(node.args[0].value, owner, value), name.partition(".")[2]]
    if isinstance(node.func, cst.Attribute):
        before = _pipeline(node.func.value, owner, value)
        return [*before, _method(node.func.attr.value, node)]
    raise NotUnderstoodError("a step of forward calls something else than a layer")


def _function(name: str, call: cst.Call, owner: str, value: str) -> list[Step]:
    if not call.args or call.args[0].keyword or call.args[0].star:
        raise NotUnderstoodError(f"{name} has no first argument")
    before = _pipeline(call.args[0].value, owner, value)
    rest = call.with_changes(args=call.args[1:])
    if name in FUNCTIONS:
        return [*before, (read_call(FUNCTIONS[name], rest, ANYWHERE),)]
    return [*before, _method(name, rest)]


def _method(name: str, call: cst.Call) -> tuple[Layer, ...]:
    if name == "flatten":
        return (read_call("Flatten", call, ANYWHERE),)
    if name == "mean":
        dims = Arguments(call, ("dim",)).expression("dim")
        if not isinstance(dims, cst.Tuple | cst.List):
            raise NotUnderstoodError("a mean over one dimension is outside the model")
        if sorted(integer(element.value) % 4 for element in dims.elements) == [2, 3]:
            return (AdaptivePool("AdaptiveAvgPool2d", grid=1), Flatten())
    raise NotUnderstoodError(f"{name} is outside the model")
