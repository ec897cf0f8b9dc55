"""Finding networks in a program: a whole one where ``forward`` is understood, parts of one elsewhere."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

import libcst as cst

from openevolve.proposing.offline import Source

from .calls import NotUnderstoodError, dotted_name, input_width, pytorch_names, read_layers
from .forward import read_forward
from .helpers import defined_helpers
from .model import Shape, ShapeError, shapes
from .network import IMAGE_SIZES, Chain, Network, check

IMAGE_CHANNELS = (1, 3)
"""Channels that an image has: grey or colour."""


@dataclass(frozen=True)
class Located:
    """A network, the class it was found in, and the expressions that its attributes are set to."""

    network: Network
    owner: cst.ClassDef
    expressions: Mapping[str, cst.BaseExpression]


@dataclass(frozen=True)
class ModuleClass:
    """A subclass of ``nn.Module``.

    ``expressions`` are those of attributes that ``__init__`` sets once and that are only ever called: no
    index into them, no weight taken out, no mention by another object.
    """

    node: cst.ClassDef
    forward: cst.FunctionDef
    expressions: Mapping[str, cst.BaseExpression]


def find_networks(source: Source) -> list[Located]:
    """Every network of the program that the operators can edit, whole ones first."""
    if "nn" not in pytorch_names(source):
        return []
    found = [located for module in _modules(source) for located in _networks(source, module)]
    return sorted(found, key=lambda located: not located.network.complete)


def _networks(source: Source, module: ModuleClass) -> list[Located]:
    helpers = defined_helpers(source.tree.body)
    try:
        return [Located(_whole(source, module, helpers), module.node, module.expressions)]
    except (NotUnderstoodError, ShapeError):
        parts = _parts(source, module, helpers)
        return [Located(part, module.node, module.expressions) for part in parts]


def _whole(source: Source, module: ModuleClass, helpers: frozenset[str]) -> Network:
    steps = read_forward(module.forward)
    names = [step for step in steps if isinstance(step, str)]
    if len(set(names)) != len(names) or not module.expressions.keys() >= set(names) or not names:
        raise NotUnderstoodError("forward uses an attribute twice, or one that is not plainly set and called")
    start = shape = Shape(input_width(module.expressions[names[0]]), IMAGE_SIZES[-1])
    if start.channels not in IMAGE_CHANNELS:
        raise NotUnderstoodError("the module does not take images, so the size of its input is unknown")
    chains = []
    for step in steps:
        if isinstance(step, str):
            node = module.expressions[step]
            chains.append(Chain(step, read_layers(node, shape, helpers), fixed=not source.editable(node)))
        else:
            chains.append(Chain("forward", step, fixed=True))
        shape = shapes(chains[-1].layers, shape)[-1]
    network = Network(start, tuple(chains), complete=True)
    check(network, network)
    return network


def _parts(source: Source, module: ModuleClass, helpers: frozenset[str]) -> Iterator[Network]:
    for name, node in module.expressions.items():
        if not source.editable(node):
            continue
        for flat in (False, True):
            try:
                start = Shape(input_width(node), 1 if flat else IMAGE_SIZES[-1], flat)
                layers = read_layers(node, start, helpers)
            except (NotUnderstoodError, ShapeError):
                continue
            yield Network(start, (Chain(name, layers),), complete=False)
            break


def _modules(source: Source) -> Iterator[ModuleClass]:
    trees = [node for node in source.tree.body if isinstance(node, ast.ClassDef)]
    times_defined = Counter(tree.name for tree in trees)
    extended = {ast.unparse(base) for tree in trees for base in tree.bases}
    helpers = defined_helpers(source.tree.body)
    foreign = _attributes_of_others(source.tree)
    by_name = {tree.name: tree for tree in trees}
    for node in source.module.body:
        if not isinstance(node, cst.ClassDef) or node.name.value in helpers | extended:
            continue
        functions = {part.name.value: part for part in node.body.body if isinstance(part, cst.FunctionDef)}
        bases = [dotted_name(base.value) for base in node.bases]
        if (
            bases == ["nn.Module"]
            and times_defined[node.name.value] == 1
            and {"__init__", "forward"} <= set(functions)
        ):
            called = _called_only(by_name[node.name.value]) - foreign
            expressions = {name: value for name, value in _assigned(functions["__init__"]) if name in called}
            yield ModuleClass(node, functions["forward"], expressions)


def _assigned(function: cst.FunctionDef) -> Iterator[tuple[str, cst.BaseExpression]]:
    for line in function.body.body:
        match line:
            case cst.SimpleStatementLine(
                body=[cst.Assign(targets=[cst.AssignTarget(target=target)], value=cst.Call() as value)]
            ):
                owner, _, name = dotted_name(target).partition(".")
                if owner == "self" and name.isidentifier():
                    yield name, value


def _called_only(tree: ast.ClassDef) -> set[str]:
    """Attributes of ``self`` that are set once and whose every other use is a call."""
    stored, loaded, called = Counter[str](), Counter[str](), Counter[str]()
    for node in ast.walk(tree):
        if _of_self(node):
            (loaded if isinstance(node.ctx, ast.Load) else stored)[node.attr] += 1
        elif isinstance(node, ast.Call) and _of_self(node.func):
            called[node.func.attr] += 1
    return {name for name, times in stored.items() if times == 1 and 0 < loaded[name] == called[name]}


def _attributes_of_others(tree: ast.Module) -> set[str]:
    nodes = ast.walk(tree)
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and not _of_self(node)}


def _of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
