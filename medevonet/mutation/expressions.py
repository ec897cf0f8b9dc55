"""Edits of single expressions that cannot change a shape: for PyTorch programs of any structure."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import libcst as cst

from openevolve.proposing.offline import Source, Variation
from openevolve.proposing.offline.source import LEAVES

from .calls import NotUnderstoodError, dotted_name, integer, pytorch_names
from .forward import FUNCTIONS
from .layers import ACTIVATIONS
from .operators.common import MAX_WIDTH, MIN_WIDTH, NotApplicableError, choose, scaled

POOLINGS = {"nn.MaxPool2d": "nn.AvgPool2d", "F.max_pool2d": "F.avg_pool2d"}
POOLINGS |= {new: old for old, new in POOLINGS.items()}
POOLING_ARGUMENTS = ("kernel_size", "stride", "padding", "ceil_mode")
FUNCTIONALS = {kind: name for name, kind in FUNCTIONS.items() if kind in ACTIVATIONS}

WIDTH_NAME = re.compile(r"(^|_)(ch|channels|dims?|embed|filters|growth|hidden|planes|widths?)$")
DEPTH_NAME = re.compile(r"(^|_)(depth|layers|blocks|repeats)$")
MAX_REPEATS = 8
KERNELS = (1, 3, 5, 7)
RATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Sites:
    """Calls of PyTorch and defaults of parameters that may be edited, by name, and all integers."""

    calls: list[tuple[str, cst.Call]]
    defaults: list[tuple[str, cst.BaseExpression]]
    integers: Counter[int]


@dataclass(frozen=True)
class Rewrite:
    """Nodes to exchange, none inside another, and what that amounts to."""

    nodes: Mapping[cst.CSTNode, cst.CSTNode]
    note: str


Rewriter = Callable[[Sites, Random], Rewrite]
"""Raises NotApplicableError where the program has no place for the edit."""


def vary_expressions(source: Source, rng: Random, count: int) -> Variation | None:
    """Up to ``count`` edits of a program that uses PyTorch, or None where none applies."""
    sites = collect(source)
    nodes: dict[cst.CSTNode, cst.CSTNode] = {}
    names, notes = [], []
    for name, rewriter in rng.sample(REWRITERS, len(REWRITERS)):
        try:
            rewrite = rewriter(sites, rng)
        except NotApplicableError:
            continue
        nodes |= rewrite.nodes
        names.append(name)
        notes.append(rewrite.note)
        if len(names) == count:
            break
    return Variation(source.replace(nodes).code, tuple(names), tuple(notes)) if names else None


def swap_activation(sites: Sites, rng: Random) -> Rewrite:
    """Another activation for all of one kind, as layers and as functions."""
    # A slope or an approximation belongs to one activation; such a call stays as it is.
    layers = [
        (kind, call)
        for name, call in sites.calls
        if (kind := name.removeprefix("nn.")) in ACTIVATIONS
        and all(argument.keyword and argument.keyword.value == "inplace" for argument in call.args)
    ]
    functions = [
        (FUNCTIONS[function], call)
        for name, call in sites.calls
        if (function := name.removeprefix("F.")) in FUNCTIONALS.values() and len(call.args) == 1
    ]
    old = choose(rng, sorted({kind for kind, _ in layers + functions}))
    new = rng.choice([kind for kind in ACTIVATIONS if kind != old])
    nodes: dict[cst.CSTNode, cst.CSTNode] = {}
    nodes |= {call: cst.parse_expression(f"nn.{new}()") for kind, call in layers if kind == old}
    function = f"F.{FUNCTIONALS[new]}"
    nodes |= {call.func: cst.parse_expression(function) for kind, call in functions if kind == old}
    return Rewrite(nodes, f"{old} → {new}")


def swap_pooling(sites: Sites, rng: Random) -> Rewrite:
    """Max pooling for average pooling over the same window, or the reverse."""
    found = []
    for name, call in sites.calls:
        positional = [argument for argument in call.args if not argument.keyword and not argument.star]
        keywords = [argument.keyword.value for argument in call.args if argument.keyword]
        plain = len(positional) + len(keywords) == len(call.args) and set(keywords) <= set(POOLING_ARGUMENTS)
        if name in POOLINGS and plain and len(positional) <= (4 if name.startswith("F.") else 3):
            found.append((name, call))
    name, call = choose(rng, found)
    return Rewrite({call.func: cst.parse_expression(POOLINGS[name])}, f"{name} → {POOLINGS[name]}")


def tune_dropout(sites: Sites, rng: Random) -> Rewrite:
    """Another rate of a dropout layer."""
    rates = [
        argument.value
        for name, call in sites.calls
        if name in ("nn.Dropout", "nn.Dropout2d")
        for argument in call.args[:1]
        if isinstance(argument.value, cst.Float)
    ]
    node = choose(rng, rates)
    rate = rng.choice([rate for rate in RATES if rate != node.evaluated_value])
    return Rewrite({node: cst.Float(repr(rate))}, f"dropout {node.value} → {rate}")


def change_kernel(sites: Sites, rng: Random) -> Rewrite:
    """A larger or smaller kernel of a convolution whose padding keeps the size of the maps."""
    found = [pair for name, call in sites.calls if name == "nn.Conv2d" for pair in _kernel_and_padding(call)]
    kernel, padding = choose(rng, found)
    old = integer(kernel)
    new = rng.choice([size for size in KERNELS if abs(size - old) == 2])
    nodes: dict[cst.CSTNode, cst.CSTNode] = {
        kernel: cst.Integer(str(new)),
        padding: cst.Integer(str(new // 2)),
    }
    return Rewrite(nodes, f"a kernel of {old} → {new}")


def scale_widths(sites: Sites, rng: Random) -> Rewrite:
    """Wider or narrower defaults such as ``widths=(32, 64, 128)`` that no other number depends on."""
    found = []
    for name, default in sites.defaults:
        items = [item.value for item in default.elements] if isinstance(default, cst.Tuple) else [default]
        widths = [item.evaluated_value for item in items if isinstance(item, cst.Integer)]
        wide = all(MIN_WIDTH <= width <= MAX_WIDTH for width in widths)
        if WIDTH_NAME.search(name) and wide and 0 < len(widths) == len(items):
            found += [] if _repeated(widths, sites.integers) else [(name, items, widths)]
    name, items, widths = choose(rng, found)
    factor = rng.choice((0.5, 0.75, 1.25, 1.5))
    new = [cst.Integer(str(scaled(width, factor))) for width in widths]
    return Rewrite(dict(zip(items, new, strict=True)), f"{name} {factor} times as wide")


def change_depth(sites: Sites, rng: Random) -> Rewrite:
    """One more or one less of a repeated block, where a default such as ``depth=3`` says how many."""
    found = [
        (name, default)
        for name, default in sites.defaults
        if DEPTH_NAME.search(name)
        and isinstance(default, cst.Integer)
        and 1 <= default.evaluated_value <= MAX_REPEATS
    ]
    name, node = choose(rng, found)
    old = integer(node)
    new = rng.choice([depth for depth in (old - 1, old + 1) if 1 <= depth <= MAX_REPEATS])
    return Rewrite({node: cst.Integer(str(new))}, f"{name} {old} → {new}")


REWRITERS: tuple[tuple[str, Rewriter], ...] = (
    ("swap_activation", swap_activation),
    ("swap_pooling", swap_pooling),
    ("tune_dropout", tune_dropout),
    ("change_kernel", change_kernel),
    ("scale_widths", scale_widths),
    ("change_depth", change_depth),
)


def collect(source: Source) -> Sites:
    """Everything in a program that the edits may touch."""
    sites, imported = Sites([], [], Counter()), pytorch_names(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            sites.integers[node.value] += 1

    class Visitor(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            if isinstance(node, cst.Call):
                name = dotted_name(node.func)
                if name.partition(".")[0] in imported and source.editable(node):
                    sites.calls.append((name, node))
            elif isinstance(node, cst.Param) and node.default and source.editable(node.default):
                sites.defaults.append((node.name.value, node.default))
            return type(node) not in LEAVES

    source.module.visit(Visitor())
    return sites


def _kernel_and_padding(call: cst.Call) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """The nodes of both where they are literal, match, and no dilation is given."""
    values = {argument.keyword.value: argument.value for argument in call.args if argument.keyword}
    positional = [argument.value for argument in call.args if not argument.keyword and not argument.star]
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
    values |= dict(zip(names, positional, strict=False))
    if (
        len(positional) > len(names)
        or "dilation" in values
        or not {"kernel_size", "padding"} <= values.keys()
    ):
        return []
    kernel, padding = values["kernel_size"], values["padding"]
    try:
        matched = integer(kernel) in KERNELS and integer(padding) == integer(kernel) // 2
    except NotUnderstoodError:
        return []
    return [(kernel, padding)] if matched else []


def _repeated(widths: list[int], integers: Counter[int]) -> bool:
    """Whether other numbers of the program may follow from the widths: multiples of one, or their sum."""
    own = Counter(widths)
    others = [number for number in integers if integers[number] > own[number]]
    multiple = any(number and number % width == 0 for number in others for width in widths)
    return multiple or sum(widths) in others
