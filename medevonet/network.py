"""Networks from programs: loading, checking and counting them, and swapping the output layer.

Runs beside untrusted code, in the candidate process; needs PyTorch and NumPy alone.
"""

import inspect
import random
import re
import sys
import traceback
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
from torch.utils.flop_counter import FlopCounterMode

MODULE_NAME = "program"
DEFAULT_CLASSES = 7  # of a network counted as it stands; every data set swaps the output layer

# What PyTorch and Python say when sizes do not fit: such an error is a matter of shapes, any other a crash.
_SHAPE_WORDS = re.compile(r"shape|size|dimension|channel|elements|unpack|subscript|mat1", re.IGNORECASE)
_NOT_CHANNELS_LAST = "view size is not compatible"


class ProgramError(Exception):
    """The program is at fault; ``kind`` is one of the engine's failure kinds."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def blame(situation: str) -> Iterator[None]:
    """Turn any exception of the program's code into a ProgramError that says what was being done."""
    try:
        yield
    except ProgramError:
        raise
    except Exception as error:
        traceback.print_exc()  # into the candidate's output, whose tail goes with the failure
        text = "".join(traceback.format_exception_only(error)).strip()
        raise ProgramError(_kind_of(error), f"{situation}: {text}") from error


def _kind_of(error: Exception) -> str:
    text = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in text:
        return "out_of_memory"
    if isinstance(error, (ImportError, SyntaxError)):
        return "import_error"
    if isinstance(error, (RuntimeError, ValueError, IndexError)) and _SHAPE_WORDS.search(text):
        return "wrong_shape"
    return "crashed"


def check_logits(output: object, shape: tuple[int, int]) -> Tensor:
    """``output`` if it is a floating-point tensor of that shape. Raises ProgramError."""
    if isinstance(output, Tensor) and output.shape == shape and output.is_floating_point():
        return output
    found = f"a {type(output).__name__}"
    if isinstance(output, Tensor):
        found = f"a tensor of shape {tuple(output.shape)} and type {output.dtype}"
    elif isinstance(output, (tuple, list)):
        found += f" of {len(output)}"
    raise ProgramError("wrong_shape", f"expected logits as one float tensor of shape {shape}, found {found}")


@dataclass(frozen=True)
class Inspection:
    """What a program's network is before training."""

    params: int  # numbers in all parameters of ``create_model()`` as it stands
    multiply_adds: int  # of one image, forward, in matrix products and convolutions
    head: str  # name of the output layer that each data set swaps
    memory_format: torch.memory_format


class Program:
    """A loaded program, which makes networks for images of one size on one device."""

    def __init__(self, path: Path, size: int, device: torch.device) -> None:
        """Import the program. Raises ProgramError."""
        self.size = size
        self.device = device
        self.memory_format = torch.channels_last  # 8 to 35% faster than the contiguous format
        self._create_model = _load(path)

    def inspect(self, outputs: Iterable[int]) -> Inspection:
        """Check the network, in both modes and with each number of outputs, and count it.

        Raises ProgramError.
        """
        try:
            return self._inspect(outputs)
        except ProgramError as error:
            if _NOT_CHANNELS_LAST not in str(error):
                raise
        # ``x.view(...)`` on feature maps is common and right, but only where channels are not last
        self.memory_format = torch.contiguous_format
        return self._inspect(outputs)

    def network(self, outputs: int, seed: int) -> nn.Module:
        """A fresh network with ``outputs`` logits. Raises ProgramError."""
        network = self._create(seed)
        swap(network, self._head(network)[0], outputs)
        arrange(network, self.memory_format)
        return network

    def _inspect(self, outputs: Iterable[int]) -> Inspection:
        network = self._create(seed=0)
        head, logits = self._head(network)
        with blame("counting"):
            params = sum(p.numel() for p in network.parameters())
            multiply_adds = self._count(network)
        name = _name(network, head)
        if not torch.isfinite(logits).all():
            raise ProgramError("diverged", "before any training: the logits hold NaN or infinity")
        arrange(network, self.memory_format)
        for count in sorted(set(outputs)):
            head = swap(network, head, count)
            for training in (False, True):
                self._check(network.train(training), name, head)
        return Inspection(params, multiply_adds, name, self.memory_format)

    def _create(self, seed: int) -> nn.Module:
        seed_everything(seed)
        with _unset_memory_is_nan(), blame("create_model()"):
            network = self._create_model()
            if not isinstance(network, nn.Module):
                found = f"a {type(network).__name__}"
                if isinstance(network, tuple):
                    found += f" ({', '.join(type(part).__name__ for part in network)})"
                raise ProgramError("wrong_shape", f"expected an nn.Module from create_model(), found {found}")
            return network.to(self.device)

    def _head(self, network: nn.Module) -> tuple[nn.Linear, Tensor]:
        """The last ``nn.Linear`` of one forward pass, and the output; gives lazy layers their shapes."""
        images = self._images(1)
        called: list[nn.Linear] = []
        hooks = [
            layer.register_forward_hook(lambda layer, *_: called.append(layer))
            for layer in network.modules()
            if isinstance(layer, nn.Linear)
        ]
        situation = f"evaluation mode, images {tuple(images.shape)}"
        with torch.no_grad(), _unset_memory_is_nan(), blame(situation):
            output = network.eval()(images)
        for hook in hooks:
            hook.remove()
        if not called:
            raise ProgramError(
                "wrong_shape",
                "expected a network that ends in an nn.Linear, which is swapped for each data set; "
                "forward called none (a functional or convolutional head cannot be swapped)",
            )
        return called[-1], output

    def _check(self, network: nn.Module, name: str, head: nn.Linear) -> None:
        images = self._images(2)
        situation = (
            f"{'training' if network.training else 'evaluation'} mode, images {tuple(images.shape)}, "
            f"{name} (the last nn.Linear in forward order) with {head.out_features} outputs"
        )
        with blame(situation):
            output = network(images)
        try:
            logits = check_logits(output, (len(images), head.out_features))
        except ProgramError as error:
            raise ProgramError(error.kind, f"{situation}: {error}") from None
        if not torch.isfinite(logits).all():
            raise ProgramError(
                "diverged", f"{situation}: the logits hold NaN or infinity before any training"
            )

    def _count(self, network: nn.Module) -> int:
        """Multiply-adds of one image; with gradients on, or fused kernels would hide their products."""
        with torch.enable_grad(), FlopCounterMode(display=False) as counter:
            network(self._images(1))
        return counter.get_total_flops() // 2

    def _images(self, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        images = torch.rand((count, 3, self.size, self.size), generator=generator) * 2 - 1
        return images.to(self.device, memory_format=self.memory_format)


def swap(network: nn.Module, head: nn.Linear, outputs: int) -> nn.Linear:
    """Put a new ``nn.Linear`` with ``outputs`` outputs in the place of ``head``, and return it."""
    layer = nn.Linear(head.in_features, outputs, bias=head.bias is not None, device=head.weight.device)
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if module is head:
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, layer)
    return layer


def arrange(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Store the weights of convolutions in that format; unlike ``Module.to``, whatever other shapes there are."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)


def seed_everything(seed: int) -> None:
    """Seed every generator a network may draw from; ``seed`` is below 2**32."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _load(path: Path) -> Callable[[], object]:
    """Import the file as module ``program`` and return its ``create_model``, to be called without arguments.

    The code is compiled under the file's bare name, so that messages do not depend on where it lies.
    """
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = path.name
    sys.modules[MODULE_NAME] = module  # where dataclasses and pickle look for a class's module
    try:
        with blame("import"):
            exec(compile(path.read_bytes(), path.name, "exec"), module.__dict__)
    except ProgramError as error:
        raise ProgramError(
            "out_of_memory" if error.kind == "out_of_memory" else "import_error", str(error)
        ) from error
    create_model = getattr(module, "create_model", None)
    if not callable(create_model):
        raise ProgramError(
            "import_error", "expected a function create_model() that returns an nn.Module, found none"
        )
    return _without_arguments(create_model)


def _without_arguments(create_model: Callable[..., object]) -> Callable[[], object]:
    signature = inspect.signature(create_model)
    keywords: tuple[dict[str, Any], ...] = ({}, {"num_classes": DEFAULT_CLASSES})
    for arguments in keywords:
        try:
            signature.bind(**arguments)
        except TypeError:
            continue
        return partial(create_model, **arguments)
    raise ProgramError(
        "import_error", f"expected create_model() or create_model(num_classes), found create_model{signature}"
    )


def _name(network: nn.Module, layer: nn.Module) -> str:
    return next(name for name, module in network.named_modules() if module is layer)


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
