"""Networks from programs: loading, checking and counting them, and swapping the output layer.

Runs beside untrusted code, in the candidate process; needs PyTorch and NumPy alone.
"""

import inspect
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from medevonet.sandboxed.counting import multiply_adds
from medevonet.sandboxed.cpu_convolutions import breaks_channels_last
from medevonet.sandboxed.faults import PROGRAM_MODULE, ProgramError, blame, check_finite, check_logits

DEFAULT_CLASSES = 7  # of a network counted as it stands; every data set swaps the output layer
# The second is the projection of nn.MultiheadAttention, and is computed as the first.
_PLAIN = (nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear)
_NOT_CHANNELS_LAST = "view size is not compatible"


@dataclass(frozen=True)
class Inspection:
    """What a program's network is before training."""

    params: int  # numbers in all parameters of ``create_model()`` as it stands
    multiply_adds: int  # of one image, forward, in matrix products and convolutions
    head: str  # name of the output layer, which each data set swaps
    memory_format: torch.memory_format


class Program:
    """A loaded program, which makes networks for images of one size on one device."""

    def __init__(self, path: Path, size: int, device: torch.device) -> None:
        """Import the program. Raises ProgramError."""
        self.size = size
        self.device = device
        self.memory_format = torch.channels_last  # faster than the contiguous format, on CPUs and GPUs
        self._create_model = load(path)

    def inspect(self, outputs: Iterable[int]) -> Inspection:
        """Check the network, in both modes and with each number of outputs, and count it.

        Raises ProgramError.
        """
        outputs = sorted(set(outputs))
        try:
            return self._inspect(outputs)
        except ProgramError as error:
            if _NOT_CHANNELS_LAST not in str(error):
                raise
        # ``x.view(...)`` of feature maps is common, and right where channels are not last
        self.memory_format = torch.contiguous_format
        return self._inspect(outputs)

    def network(self, outputs: int, seed: int) -> nn.Module:
        """A fresh network with ``outputs`` logits. Raises ProgramError."""
        network = self._create(seed)
        swap(network, self._forward(network)[0], outputs)
        arrange(network, self.memory_format)
        return network

    def accepts(self, size: int) -> bool:
        """Whether a fresh network also takes images of another size: finite logits and gradients."""
        images = self._images(2, size)
        try:
            network = self.network(DEFAULT_CLASSES, seed=0)
            for training in (False, True):
                with blame(f"images {tuple(images.shape)}"):
                    logits = check_logits(network.train(training)(images), (len(images), DEFAULT_CLASSES))
                    check_finite(logits)
                    logits.sum().backward()
        except ProgramError:
            return False
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        return all(bool(gradient.isfinite().all()) for gradient in gradients)

    def _inspect(self, outputs: list[int]) -> Inspection:
        network = self._create(seed=0)
        head, logits = self._forward(network)
        check_finite(logits)
        _check_that_nothing_is_shared(network, self._create(seed=0))
        if self.device.type == "cpu" and any(map(breaks_channels_last, network.modules())):
            self.memory_format = torch.contiguous_format
        with blame("counting"):
            params = sum(parameter.numel() for parameter in network.parameters())
            count = multiply_adds(network, self._images(1))
        name = _name(network, head)
        arrange(network, self.memory_format)
        for number in outputs:
            head = swap(network, head, number)
            for training in (False, True):
                self._check(network.train(training), head)
        return Inspection(params, count, name, self.memory_format)

    def _create(self, seed: int) -> nn.Module:
        seed_everything(seed)
        with _unset_memory_is_nan(), blame("create_model()"):
            network = self._create_model()
            if not isinstance(network, nn.Module):
                found = f"a {type(network).__name__}"
                if isinstance(network, tuple):
                    found += f" ({', '.join(type(part).__name__ for part in network)})"
                raise ProgramError("wrong_shape", f"expected an nn.Module, found {found}")
            return network.to(self.device)

    def _forward(self, network: nn.Module) -> tuple[nn.Linear, Tensor]:
        """The last ``nn.Linear`` that one forward pass calls, and the logits (1, its outputs).

        Gives lazy layers their shapes.
        """
        image = self._images(1)
        called: list[nn.Linear] = []
        hooks = [
            layer.register_forward_hook(lambda layer, *_: called.append(layer))
            for layer in network.modules()
            if isinstance(layer, nn.Linear)
        ]
        situation = f"evaluation mode, images {tuple(image.shape)}"
        with torch.no_grad(), _unset_memory_is_nan(), blame(situation):
            output = network.eval()(image)
        for hook in hooks:
            hook.remove()
        if not called:
            raise ProgramError(
                "wrong_shape",
                "expected a network that ends in an nn.Linear, which is swapped for each data set; forward "
                "called none (a head of another kind, or F.linear, cannot be swapped)",
            )
        head = called[-1]
        _check_that_it_is_plain(_name(network, head), head)
        with blame(f"{situation}, {_describe(network, head)}"):
            return head, check_logits(output, (1, head.out_features))

    def _check(self, network: nn.Module, head: nn.Linear) -> None:
        images = self._images(2)
        mode = "training" if network.training else "evaluation"
        with blame(f"{mode} mode, images {tuple(images.shape)}, {_describe(network, head)}"):
            check_finite(check_logits(network(images), (len(images), head.out_features)))

    def _images(self, count: int, size: int | None = None) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        size = size or self.size
        images = torch.rand((count, 3, size, size), generator=generator) * 2 - 1
        return images.to(self.device, memory_format=self.memory_format)


def load(path: Path) -> Callable[[], object]:
    """Import the file as module ``program``; its ``create_model``, ready to be called without arguments.

    The code is compiled under the file's bare name, so that messages do not depend on where it lies.
    Raises ProgramError.
    """
    module = types.ModuleType(PROGRAM_MODULE)
    module.__file__ = path.name
    sys.modules[PROGRAM_MODULE] = module  # where dataclasses and pickle look for a class's module
    with blame("import", kind="import_error"):
        exec(compile(path.read_bytes(), path.name, "exec"), module.__dict__)
    create_model = getattr(module, "create_model", None)
    if not callable(create_model):
        raise ProgramError(
            "import_error", "expected a function create_model() that returns an nn.Module, found none"
        )
    signature = inspect.signature(create_model)
    choices: tuple[dict[str, Any], ...] = ({}, {"num_classes": DEFAULT_CLASSES})
    for arguments in choices:
        try:
            signature.bind(**arguments)
        except TypeError:
            continue
        return partial(create_model, **arguments)
    raise ProgramError(
        "import_error", f"expected create_model() or create_model(num_classes), found create_model{signature}"
    )


class Head(nn.Linear):
    """An output layer that computes in float32 whatever the precision of the network before it.

    Logits in bfloat16 have three digits: images would tie that the network tells apart, and an AUC counts
    ties as half.
    """

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


def _check_that_it_is_plain(name: str, head: nn.Linear) -> None:
    """What a head does beside a product would be lost with it. Raises ProgramError."""
    found = ""
    if type(head) not in _PLAIN:
        found = f"a {type(head).__name__}"
    elif "forward" in head.__dict__:
        found = "one with a forward of its own"
    elif head._forward_hooks or head._forward_pre_hooks:
        found = "one with hooks (weight_norm or spectral_norm?)"
    elif head.bias is not None and head.bias.shape != (head.out_features,):
        found = f"one with a bias of shape {tuple(head.bias.shape)}"
    if found:
        raise ProgramError(
            "wrong_shape",
            f"expected the last nn.Linear that forward calls, {name!r}, to be a plain one, found {found}: "
            "each data set swaps it for a fresh nn.Linear, and whatever else it does would be lost; do that "
            "before it",
        )


def swap(network: nn.Module, head: nn.Linear, outputs: int) -> nn.Linear:
    """Put a new output layer with ``outputs`` outputs in the place of ``head``, and return it."""
    layer = Head(head.in_features, outputs, bias=head.bias is not None, device=head.weight.device)
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if module is head:
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, layer)
    return layer


def arrange(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Store the weights of 2D convolutions in that format (``Module.to`` refuses networks with 3D ones)."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)


def _check_that_nothing_is_shared(first: nn.Module, second: nn.Module) -> None:
    """Each call of ``create_model`` makes its network from nothing: training one must not train another."""
    storages = [
        {
            tensor.untyped_storage().data_ptr()
            for tensor in (*network.parameters(), *network.buffers())
            if not is_lazy(tensor) and tensor.numel()
        }
        for network in (first, second)
    ]
    if first is second or storages[0] & storages[1]:
        raise ProgramError(
            "forbidden",
            "expected create_model() to make a fresh network at every call, found two that share weights",
        )


def _name(network: nn.Module, layer: nn.Module) -> str:
    names: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
    return names[layer]


def _describe(network: nn.Module, head: nn.Linear) -> str:
    name = _name(network, head)
    return f"{name!r} (the last nn.Linear in forward order) with {head.out_features} outputs"


def seed_everything(seed: int) -> None:
    """Seed every generator that a network may draw from; ``seed`` is below 2**32."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _unset_memory_is_nan() -> Iterator[None]:
    """Parameters left as ``torch.empty`` made them become NaN, not what the heap happened to hold.

    Takes effect where deterministic algorithms are on.
    """
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
